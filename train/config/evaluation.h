// How a finished model is asked: without noise, or over what noise makes of it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "models/regularizers.h"

namespace train {

/// The setting `evaluation`:
///   plain      what a model is asked in use: noise replaced by its mean
///   corrected  noise replaced by its root mean square, so that a value's mean square is that of
///              training, and with mean 0 the variance behind it where values are uncorrelated
///              (after Li et al. 2018, arXiv:1801.05134); a mean that is not 0 grows with it
///   mc:N       N passes with masks of their own stream, probabilities averaged (Gal & Ghahramani
///              2016, arXiv:1506.02142); the result alone, evaluations on the way are plain
struct Evaluation {
  models::Mode mode = models::Mode::kEval;
  std::int64_t passes = 1;
  bool sampled() const { return mode == models::Mode::kNoisy; }
};

inline constexpr std::int64_t kMostPasses = 4096;

// What measuring takes: passes of mode_gap, and of moments masks (with the pass without) and tokens
// of each.
inline constexpr std::int64_t kGapPasses = 4, kProbeMasks = 16, kProbeTokens = 4096;

/// Throws base::Error where it is none.
Evaluation parse_evaluation(std::string_view text);
std::string to_string(const Evaluation& evaluation);

/// What may be measured of a finished run beside its losses: the setting `measure`, "none" or names
/// with '+' between. lab/runs/measures.cpp does it.
struct MeasureKind {
  std::string_view name, help;
  bool predicts;  // asks for what the model says of every target
};
std::span<const MeasureKind> measure_kinds();
std::vector<const MeasureKind*> parse_measures(std::string_view text);
/// The one canonical spelling.
std::string canonical_measures(const std::string& text);

}  // namespace train
