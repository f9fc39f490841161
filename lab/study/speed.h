// How fast the arms are: single steps of each and of the first one in turns, on throw-away models,
// so that a machine that changes its pace changes it for both.
#pragma once
#include <optional>
#include <vector>

#include "lab/runs/run_store.h"
#include "lab/study/arm.h"
#include "train/data/corpus.h"

namespace lab {

struct ArmSpeed {
  double tokens_per_second = 0;          // of the median step
  double step_time_ratio = 1;            // median over rounds of step time / first arm's
  double ratio_low = 1, ratio_high = 1;  // quartiles of it
};

/// Times every arm in a pair with the first one, `rounds` rounds of a step of each after a warm-up,
/// and stops after `seconds` in all. Holds two models at a time; throws engine::Error where memory
/// does not.
std::vector<ArmSpeed> measure_speed(const std::vector<Arm>& arms, const train::Corpus& corpus,
                                    int rounds = 41, double seconds = 5);

Json to_json(const std::vector<ArmSpeed>& speeds);
/// nullopt where `json` is not what to_json() writes for `arms` arms.
std::optional<std::vector<ArmSpeed>> speeds_from_json(const Json& json, std::size_t arms);

}  // namespace lab
