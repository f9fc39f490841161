// Scores and reliability of predictions: classes, normal distributions, intervals.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lab/stats/stats.h"

namespace lab {

/// Rows of class scores, of which the softmax at temperature T, p_k ∝ exp(z_k/T), is the forecast.
/// Logarithms of probabilities (those averaged over dropout masks, say) are as good as logits.
struct Logits {
  std::span<const float> z;              // row-major (labels.size(), classes), finite
  std::size_t classes = 0;               // 1 or more
  std::span<const std::int32_t> labels;  // in [0, classes)
};

/// Mean of −log p_label, nats. All functions here: Error on shapes, labels or scores out of range.
double nll(const Logits& logits, double temperature = 1);

/// Mean of Σ_k (p_k − [k = label])², in [0, 2] (Brier 1950, Mon. Weather Rev. 78:1). For two
/// classes this is twice the usual mean of (p − hit)².
double brier(const Logits& logits, double temperature = 1);

struct Temperature {
  double value = 1;
  double nll = 0;        // there
  bool at_edge = false;  // the optimum lies beyond [0.01, 100]: `value` is the end of that
};

/// The temperature that minimizes the NLL (Guo et al. 2017, arXiv:1706.04599): convex in 1/T, so
/// found by bisection of the derivative Σ (E_p[z] − z_label); 1 for a single class. Fit it on
/// validation data, use it on test data. REQUIRES: a row.
Temperature fit_temperature(const Logits& logits);

/// A forecast of a yes-or-no event: "the class named first is right", say.
struct Forecast {
  double p = 0;
  bool hit = false;
};

/// Each row's most probable class (the first, where tied): its probability, and whether it is
/// right.
std::vector<Forecast> top_label(const Logits& logits, double temperature = 1);

struct ReliabilityBin {
  double count = 0, mean_p = 0, hit_rate = 0;
};

struct Reliability {
  std::vector<ReliabilityBin> bins;  // ascending in p
  double ece = 0;                    // Σ count/n · |mean_p − hit_rate|
  double ece_debiased = 0;
  double squared_debiased = 0;  // of Σ count/n · (mean_p − hit_rate)²; may be below 0
};

/// Expected calibration error over bins of equal mass (Nixon et al. 2019, arXiv:1904.01685); equal
/// forecasts share a bin, so the order of the input changes nothing and there may be fewer bins.
///
/// The plug-in ece is too high: a perfect forecaster's bins miss by √(h(1 − h)/count). Debiased
/// (Kumar, Liang & Ma 2019, arXiv:1909.10155): each bin's square less h(1 − h)/(count − 1), which
/// is unbiased for the square; and each |gap| less what a normal error of that variance adds to it,
/// E|N(gap, s²)| − |gap|, which takes off 40 to 55 % of the excess: where ece is about the noise,
/// compare squares. nullopt for fewer than 2 forecasts.
/// REQUIRES: bins ≥ 1, 0 ≤ p ≤ 1.
std::optional<Reliability> reliability(std::vector<Forecast> forecasts, int bins = 15);

struct Gaussian {
  double mean = 0, sd = 1;
};

/// −log density of y: ½ log(2πσ²) + (y − μ)²/(2σ²), nats. REQUIRES: sd > 0.
double gaussian_nll(const Gaussian& forecast, double y);

/// Continuous ranked probability score ∫ (F(x) − [x ≥ y])² dx, in y's unit, lower is better:
/// σ (z(2Φ(z) − 1) + 2φ(z) − 1/√π), z = (y − μ)/σ (Gneiting & Raftery 2007, J. Am. Stat. Assoc.
/// 102:359, eq. 21). sd = 0 has its limit, |y − μ|.
double gaussian_crps(const Gaussian& forecast, double y);

/// The central interval that the forecast gives probability `level`.
Interval central_interval(const Gaussian& forecast, double level);

/// The share of truths inside their intervals, ends included. REQUIRES: equal lengths, 1 or more.
double coverage(std::span<const Interval> intervals, std::span<const double> truths);

}  // namespace lab
