// How fast the arms are: steps of each and of the first one in turns, on throw-away models, so that
// a machine that slows down slows both.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lab/study/study_runs.h"

namespace lab {

struct ArmSpeed {
  double tokens_per_second = 0;          // of the median round
  double step_time_ratio = 1;            // median over rounds of step time / first arm's
  double ratio_low = 1, ratio_high = 1;  // quartiles of it
  int rounds = 0;
};

/// Equal for settings whose step takes the same work.
std::string cost_key(const train::Settings& settings);

/// Shares of the budget at which a pair is timed: the middles of equal parts of it where a schedule
/// changes what a step costs, else 0.5 alone.
std::vector<double> timed_phases(const train::Settings& first, const train::Settings& arm);

/// Makes a step at a share of the budget. Returns its seconds.
using TimedStep = std::function<double(double progress)>;

/// Seconds of the mean step of each round.
struct PairedTimes {
  std::vector<double> first, arm;
};

/// Rounds of a step of each at every phase, after a warm-up: `rounds` of them, or as many as
/// `seconds` hold, but no fewer than 3.
PairedTimes time_in_turns(const TimedStep& first, const TimedStep& arm,
                          std::span<const double> phases, int rounds, double seconds);

/// The speed of the arm.
ArmSpeed speed_of(const PairedTimes& times, double tokens_per_step);

/// The speeds of all arms, cell by cell.
using Speeds = std::vector<std::vector<ArmSpeed>>;

/// Times every arm of a cell in a pair with the first one; cells whose steps cost the same are
/// timed once. A round goes through every phase of the schedules (one if there is none), so that a
/// regularizer that is off for half of the budget counts half. Rounds as in time_in_turns(),
/// `seconds` in total. Holds two models at a time; throws base::Error if memory is short.
Speeds measure_speed(const StudyRuns& runs, int rounds = 41, double seconds = 5);

/// A list of cells, each a list of arms.
Json to_json(const Speeds& speeds);
/// nullopt if `json` is not what to_json() writes of this study.
std::optional<Speeds> speeds_from_json(const Json& json, const Study& study);
/// With the machine and the program.
Json to_json(const Speeds& speeds, const StudyRuns& runs);
/// nullopt if `json` is not what to_json() writes for this study with this machine and program.
std::optional<Speeds> speeds_from_json(const Json& json, const StudyRuns& runs);

}  // namespace lab
