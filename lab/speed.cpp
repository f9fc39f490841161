#include "lab/speed.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "train/trainer.h"

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;

double timed_step(train::Trainer& trainer, std::uint64_t index) {
  const auto start = Clock::now();
  trainer.step(index, 0.5);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The value that a share `q` of the samples lies below.
double quantile(std::vector<double> x, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(x.size() - 1) + 0.5);
  std::nth_element(x.begin(), x.begin() + at, x.end());
  return x[static_cast<std::size_t>(at)];
}

}  // namespace

std::vector<ArmSpeed> measure_speed(const std::vector<Arm>& arms, const train::Corpus& corpus,
                                    int rounds, double seconds) {
  std::vector<std::unique_ptr<train::Trainer>> trainers;
  for (const Arm& arm : arms)
    trainers.push_back(std::make_unique<train::Trainer>(arm.settings, corpus));
  std::vector<std::vector<double>> times(arms.size()), ratios(arms.size());
  const auto start = Clock::now();
  for (int round = -2; round < rounds; ++round) {
    if (round > 2 && std::chrono::duration<double>(Clock::now() - start).count() > seconds) break;
    std::vector<double> now;
    for (auto& trainer : trainers)
      now.push_back(timed_step(*trainer, static_cast<std::uint64_t>(round + 2)));
    if (round < 0) continue;
    for (std::size_t i = 0; i < now.size(); ++i) {
      times[i].push_back(now[i]);
      ratios[i].push_back(now[i] / now[0]);
    }
  }
  std::vector<ArmSpeed> speeds;
  for (std::size_t i = 0; i < arms.size(); ++i)
    speeds.push_back({trainers[i]->tokens_per_step() / quantile(times[i], 0.5),
                      quantile(ratios[i], 0.5), quantile(ratios[i], 0.25),
                      quantile(ratios[i], 0.75)});
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
