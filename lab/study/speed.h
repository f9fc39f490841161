// How fast the arms are: steps of each and of the first one in turns, on throw-away models, so that
// a machine that changes its pace changes it for both.
#pragma once
#include <optional>
#include <vector>

#include "lab/study/study_runs.h"

namespace lab {

struct ArmSpeed {
  double tokens_per_second = 0;          // of the median round
  double step_time_ratio = 1;            // median over rounds of step time / first arm's
  double ratio_low = 1, ratio_high = 1;  // quartiles of it
  int rounds = 0;
};

/// Equal where a step takes the same work.
std::string cost_key(const train::Settings& settings);

/// Shares of the budget at which a pair is timed: the middles of equal parts of it where a schedule
/// changes what a step costs, else 0.5 alone.
std::vector<double> timed_phases(const train::Settings& first, const train::Settings& arm);

/// Of the arms, cell by cell.
using Speeds = std::vector<std::vector<ArmSpeed>>;

/// Times every arm of a cell in a pair with the first one; cells whose steps cost the same share
/// what was measured. A round is a step of each at every phase of their schedules (one where none
/// has any), so that a regularizer that is off for half of the budget counts half. At most `rounds`
/// after a warm-up, and `seconds` in all, but no fewer than
/// 3. Holds two models at a time; throws engine::Error where memory does not.
Speeds measure_speed(const StudyRuns& runs, int rounds = 41, double seconds = 5);

/// A list of cells, each a list of arms.
Json to_json(const Speeds& speeds);
/// nullopt where `json` is not what to_json() writes of this study.
std::optional<Speeds> speeds_from_json(const Json& json, const Study& study);
/// With the machine and the program that they are of.
Json to_json(const Speeds& speeds, const StudyRuns& runs);
/// nullopt where `json` is not what to_json() writes here and now for this study.
std::optional<Speeds> speeds_from_json(const Json& json, const StudyRuns& runs);

}  // namespace lab
