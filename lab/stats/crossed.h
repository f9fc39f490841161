// Paired differences over n seeds, each evaluated on the same w windows of text: how far does their
// mean speak for other seeds *and* other text of this kind?
#pragma once
#include <optional>
#include <span>

#include "lab/stats/stats.h"

namespace lab {

/// d[s][w] = μ + seed_s + window_w + rest_sw, all three random, independent, with mean 0.
struct Crossed {
  int seeds = 0, windows = 0;
  // Variance components by the ANOVA estimators (Searle, Casella & McCulloch 1992, Variance
  // Components, ch. 4); those that come out negative are given as 0.
  double var_seed = 0, var_window = 0, var_rest = 0;
  // The parts of mean.se²: over seeds (σ²_seed/n + σ²_rest/(n·w), what the paired t test alone
  // sees) and over windows (σ²_window/w).
  double seed_part = 0, window_part = 0;
  Estimate mean;
};

/// The grand mean with the standard error √(σ²_seed/n + σ²_window/w + σ²_rest/(n·w)) and
/// Satterthwaite's degrees of freedom (1946, Biometrics Bull. 2:110).
///
/// With the mean squares MS_s, MS_w, MS_e of seeds, windows and rest, n·w·se² estimated is
/// MS_s + max(MS_w − MS_e, 0). A negative window component is thus 0, a negative seed component is
/// kept inside MS_s: setting that one to 0 too makes intervals too wide where seeds differ in
/// nothing but noise (99 % coverage for 95 % at n = 8, since MS_s then cannot err downwards). Two
/// guarantees follow: se is never below the paired t test's (sd of the seeds' means/√n), and the
/// degrees of freedom are held at n − 1 or more. Coverage of the 95 % interval at n = 8,
/// w = 64 … 2048 over a grid of ratios of the components: 94 to 96 %, with windows of very long
/// tails (skew 6) and w = 64 93 % (docs/statistics.md); at n = 3 it can fall to 92 %.
///
/// Windows next to each other in a text resemble each other; where that matters, join them into
/// longer ones first. `d` is row-major (seeds, windows). nullopt for fewer than 2 of either or
/// where a difference is not finite. O(n·w): 0.2 ms for 40 × 2048.
std::optional<Crossed> crossed(std::span<const double> d, int seeds);

}  // namespace lab
