#include "lab/study/speed.h"

#include <array>
#include <map>

#include "base/measure.h"
#include "train/trainer.h"

namespace lab {
namespace {

constexpr int kPhases = 8;  // of a schedule

bool scheduled(const train::Settings& s) { return s.reg.find('~') != std::string::npos; }

std::vector<ArmSpeed> measure_cell(const StudyRuns& runs, std::size_t cell, int rounds,
                                   double seconds) {
  const auto settings = [&](std::size_t arm) {
    return settings_at(runs.study(), {cell, arm, 0, 0});
  };
  const std::size_t arms = runs.study().arms.size();
  std::vector<ArmSpeed> speeds(1);
  std::vector<double> first_times;
  train::StepTimer first(settings(0), runs.task(cell));
  const auto timed = [](train::StepTimer& timer) {
    return [&timer](double progress) { return timer.step(progress); };
  };
  for (std::size_t i = 1; i < arms; ++i) {
    train::StepTimer arm(settings(i), runs.task(cell));
    const PairedTimes times =
        time_in_turns(timed(first), timed(arm), timed_phases(settings(0), settings(i)), rounds,
                      seconds / static_cast<double>(arms - 1));
    first_times.insert(first_times.end(), times.first.begin(), times.first.end());
    speeds.push_back(speed_of(times, arm.trainer().tokens_per_step()));
  }
  if (!first_times.empty())
    speeds[0].tokens_per_second = first.trainer().tokens_per_step() / base::median(first_times);
  return speeds;
}

/// What a measured time may be.
bool sound(double x) { return x > 0 && x < 1e15; }

}  // namespace

std::vector<double> timed_phases(const train::Settings& first, const train::Settings& arm) {
  const int count = scheduled(first) || scheduled(arm) ? kPhases : 1;
  std::vector<double> phases;
  for (int i = 0; i < count; ++i) phases.push_back((i + 0.5) / count);
  return phases;
}

PairedTimes time_in_turns(const TimedStep& first, const TimedStep& arm,
                          std::span<const double> phases, int rounds, double seconds) {
  const auto count = static_cast<double>(phases.size());
  PairedTimes times;
  const base::Stopwatch watch;
  for (int round = -train::StepTimer::kWarmUp; round < rounds; ++round) {
    if (round > 2 && watch.seconds() > seconds) break;
    double one = 0, other = 0;
    for (const double progress : phases) {
      one += first(progress) / count;
      other += arm(progress) / count;
    }
    if (round < 0) continue;
    times.first.push_back(one);
    times.arm.push_back(other);
  }
  return times;
}

ArmSpeed speed_of(const PairedTimes& times, double tokens_per_step) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < times.arm.size(); ++i)
    ratios.push_back(times.arm[i] / times.first[i]);
  return {tokens_per_step / base::median(times.arm), base::median(ratios),
          base::quantile(ratios, 0.25), base::quantile(ratios, 0.75),
          static_cast<int>(ratios.size())};
}

std::string cost_key(const train::Settings& s) {
  Json key = Json::array();
  for (const train::Row& row : train::settings_table())
    if (row.group != train::Group::kData && row.name != "budget" && row.name != "budget_share" &&
        row.name != "seed" && !row.name.starts_with("eval_"))
      key.push_back(train::value_text(s, row));
  return base::json_compact(key);
}

Speeds measure_speed(const StudyRuns& runs, int rounds, double seconds) {
  std::map<std::string, std::vector<std::size_t>> alike;  // cells, by what their arms cost
  for (std::size_t cell = 0; cell < runs.study().cells.size(); ++cell) {
    std::string key;
    for (std::size_t arm = 0; arm < runs.study().arms.size(); ++arm)
      key += cost_key(settings_at(runs.study(), {cell, arm, 0, 0}));
    alike[key].push_back(cell);
  }
  Speeds speeds(runs.study().cells.size());
  for (const auto& [key, cells] : alike) {
    const auto measured =
        measure_cell(runs, cells.front(), rounds, seconds / static_cast<double>(alike.size()));
    for (const std::size_t cell : cells) speeds[cell] = measured;
  }
  return speeds;
}

Json to_json(const Speeds& speeds) {
  Json cells = Json::array();
  for (const auto& cell : speeds) {
    Json arms = Json::array();
    for (const ArmSpeed& s : cell)
      arms.push_back({s.tokens_per_second, s.step_time_ratio, s.ratio_low, s.ratio_high, s.rounds});
    cells.push_back(arms);
  }
  return cells;
}

std::optional<Speeds> speeds_from_json(const Json& json, const Study& study) {
  try {
    Speeds speeds;
    for (const auto& cell : json.get<std::vector<std::vector<std::array<double, 5>>>>()) {
      std::vector<ArmSpeed>& arms = speeds.emplace_back();
      for (const auto& [tokens, ratio, low, high, rounds] : cell) {
        if (!sound(tokens) || !sound(ratio) || !sound(low) || !sound(high) || !(rounds >= 0) ||
            !(rounds <= 1e6))
          return {};
        arms.push_back({tokens, ratio, low, high, static_cast<int>(rounds)});
      }
      if (arms.size() != study.arms.size()) return {};
    }
    if (speeds.size() != study.cells.size()) return {};
    return speeds;
  } catch (const Json::exception&) {
    return {};
  }
}

Json to_json(const Speeds& speeds, const StudyRuns& runs) {
  return sealed(
      {{"environment", environment(runs.study().base.threads)}, {"cells", to_json(speeds)}});
}

std::optional<Speeds> speeds_from_json(const Json& json, const StudyRuns& runs) {
  // Of another machine or program, or changed, they are measured again by the caller.
  if (!is_sealed(json) || !json.contains("cells") ||
      json.value("environment", Json()) != environment(runs.study().base.threads))
    return {};
  return speeds_from_json(json["cells"], runs.study());
}

}  // namespace lab
