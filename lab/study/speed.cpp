#include "lab/study/speed.h"

#include <chrono>

#include "engine/quantile.h"
#include "train/trainer.h"

namespace lab {
namespace {

using engine::median, engine::quantile;
using Clock = std::chrono::steady_clock;

constexpr int kWarmUp = 2;  // rounds

double timed_step(train::Trainer& trainer, std::uint64_t index) {
  const auto start = Clock::now();
  trainer.step(index, 0.5);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<ArmSpeed> measure_speed(const std::vector<Arm>& arms, const train::Corpus& corpus,
                                    int rounds, double seconds) {
  std::vector<ArmSpeed> speeds(1);
  std::vector<double> first_times;
  train::Trainer first(arms[0].settings, corpus);
  std::uint64_t step = 0;
  for (std::size_t i = 1; i < arms.size(); ++i) {
    train::Trainer arm(arms[i].settings, corpus);
    std::vector<double> times, ratios;
    const auto start = Clock::now();
    const double share = seconds / static_cast<double>(arms.size() - 1);
    for (int round = -kWarmUp; round < rounds; ++round, ++step) {
      if (round > 2 && std::chrono::duration<double>(Clock::now() - start).count() > share) break;
      const double one = timed_step(first, step), other = timed_step(arm, step);
      if (round < 0) continue;
      first_times.push_back(one);
      times.push_back(other);
      ratios.push_back(other / one);
    }
    speeds.push_back({arm.tokens_per_step() / median(times), median(ratios), quantile(ratios, 0.25),
                      quantile(ratios, 0.75)});
  }
  if (!first_times.empty())
    speeds[0].tokens_per_second = first.tokens_per_step() / median(first_times);
  return speeds;
}

Json to_json(const std::vector<ArmSpeed>& speeds) {
  Json json = Json::array();
  for (const ArmSpeed& s : speeds)
    json.push_back({{"tokens_per_second", s.tokens_per_second},
                    {"step_time_ratio", s.step_time_ratio},
                    {"quartiles", {s.ratio_low, s.ratio_high}}});
  return json;
}

std::optional<std::vector<ArmSpeed>> speeds_from_json(const Json& json, std::size_t arms) {
  if (!json.is_array() || json.size() != arms) return {};
  try {
    std::vector<ArmSpeed> speeds;
    for (const Json& j : json)
      speeds.push_back(
          {j.at("tokens_per_second").get<double>(), j.at("step_time_ratio").get<double>(),
           j.at("quartiles").at(0).get<double>(), j.at("quartiles").at(1).get<double>()});
    return speeds;
  } catch (const Json::exception&) {
    return {};  // measured again by the caller
  }
}

}  // namespace lab
