// Scores of forecasts that are a normal distribution, and of intervals.
#pragma once
#include <span>

#include "lab/stats/stats.h"

namespace lab {

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
