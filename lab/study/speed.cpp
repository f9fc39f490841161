#include "lab/study/speed.h"

#include <algorithm>
#include <chrono>

#include "engine/quantile.h"
#include "train/trainer.h"

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUp = 2;  // rounds
constexpr int kPhases = 8;  // of a schedule

/// Seconds of a step at every phase, added up.
class Timed {
 public:
  Timed(const train::Settings& settings, const train::Task& task) : trainer_(settings, task) {}

  double step(double progress) {
    const auto start = Clock::now();
    trainer_.step(index_++, progress);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  double tokens_per_step() const { return trainer_.tokens_per_step(); }

 private:
  train::Trainer trainer_;
  std::uint64_t index_ = 0;
};

bool scheduled(const train::Settings& s) { return s.reg.find('~') != std::string::npos; }

}  // namespace

std::vector<double> timed_phases(const train::Settings& first, const train::Settings& arm) {
  const int count = scheduled(first) || scheduled(arm) ? kPhases : 1;
  std::vector<double> phases;
  for (int i = 0; i < count; ++i) phases.push_back((i + 0.5) / count);
  return phases;
}

std::vector<ArmSpeed> measure_speed(const StudyRuns& runs, int rounds, double seconds) {
  const auto settings = [&](std::size_t arm) { return settings_at(runs.study(), {0, arm, 0, 0}); };
  const std::size_t arms = runs.study().arms.size();
  std::vector<ArmSpeed> speeds(1);
  std::vector<double> first_times;
  Timed first(settings(0), runs.task(0));
  for (std::size_t i = 1; i < arms; ++i) {
    Timed arm(settings(i), runs.task(0));
    const std::vector<double> phases = timed_phases(settings(0), settings(i));
    const auto count = static_cast<double>(phases.size());
    std::vector<double> times, ratios;
    const auto start = Clock::now();
    const double share = seconds / static_cast<double>(arms - 1);
    for (int round = -kWarmUp; round < rounds; ++round) {
      if (round > 2 && std::chrono::duration<double>(Clock::now() - start).count() > share) break;
      double one = 0, other = 0;
      for (const double progress : phases) {
        one += first.step(progress) / count;
        other += arm.step(progress) / count;
      }
      if (round < 0) continue;
      first_times.push_back(one);
      times.push_back(other);
      ratios.push_back(other / one);
    }
    speeds.push_back({arm.tokens_per_step() / engine::quantile(times, 0.5),
                      engine::quantile(ratios, 0.5), engine::quantile(ratios, 0.25),
                      engine::quantile(ratios, 0.75)});
  }
  if (!first_times.empty())
    speeds[0].tokens_per_second = first.tokens_per_step() / engine::quantile(first_times, 0.5);
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
