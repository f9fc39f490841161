// How a finished model is evaluated and what is measured.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "models/regularizers.h"

namespace train {

/// The setting `evaluation`:
///   plain      noise off: replaced by its mean
///   corrected  noise replaced by its root mean square, which keeps the mean square of training,
///   and
///              the variance of uncorrelated values with mean 0 (after Li et al. 2018,
///              arXiv:1801.05134)
///   mc:N       N noisy passes with masks of their own stream, probabilities averaged (Gal &
///   Ghahramani
///              2016, arXiv:1506.02142); only for the result, evaluations during training are plain
struct Evaluation {
  models::Mode mode = models::Mode::kEval;
  std::int64_t passes = 1;
  bool sampled() const { return mode == models::Mode::kNoisy; }
};

inline constexpr std::int64_t kMostPasses = 4096;

// Passes of mode_gap; masks (one pass without) and tokens per mask of moments.
inline constexpr std::int64_t kGapPasses = 4, kProbeMasks = 16, kProbeTokens = 4096;

/// Throws base::Error.
Evaluation parse_evaluation(std::string_view text);
std::string to_string(const Evaluation& evaluation);

/// A measurement of a finished run besides its losses. The setting `measure` is "none" or names
/// joined with '+'. lab/runs/measures.cpp does the work.
struct MeasureKind {
  std::string_view name, help;
  bool predicts = false;  // needs the prediction of every target
};
std::span<const MeasureKind> measure_kinds();
std::vector<const MeasureKind*> parse_measures(std::string_view text);
/// The one canonical spelling.
std::string canonical_measures(const std::string& text);

}  // namespace train
