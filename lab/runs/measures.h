// What is measured of a finished run beside its losses, where the setting `measure` asks for it.
//
// To measure something more: a row of train/config/evaluation.cpp that names it, a function here,
// and rows of the metric table that say what its values are.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/stats/forecasts.h"
#include "train/trainer.h"

namespace lab {

using Measured = std::map<std::string, double, std::less<>>;

/// By the names of metrics. REQUIRES: the run is finished and has not diverged. Leaves the weights
/// as they are.
Measured measure(train::Trainer& trainer, const train::Task& task);

/// Of forecasts of classes without a temperature, a part at a time: there may be more of them than
/// memory holds scores for.
class ClassCalibration {
 public:
  /// Divides scores by a temperature.
  explicit ClassCalibration(double temperature = 1) : temperature_(temperature) {}
  void add(const train::Predictions& part);
  /// brier, ece and square_ce, accuracy, and where the truth is known kl. REQUIRES: a target.
  Measured result() const;

 private:
  double temperature_, brier_ = 0, kl_ = 0, hits_ = 0, count_ = 0;
  bool truth_ = true;
  std::vector<Forecast> top_;  // probabilities of the likeliest class
};

/// Of forecasts on the test split; `val`: on which temperatures are fitted.
Measured calibration(const train::Predictions& val, const train::Predictions& test);

/// Points of a reliability diagram (measure=reliability), bins from 1 on in ascending order of p:
/// "reliability.1.p", the mean probability of the likeliest class, "reliability.1.hit", how often
/// it was right, "reliability.1.share" of the targets. Equal forecasts share a bin, so there may be
/// fewer.
inline constexpr std::string_view kReliabilityPrefix = "reliability.";
inline constexpr int kReliabilityBins = 10;

/// Metrics of the probe are called kProbePrefix + place + "." + statistic: "probe.h.0.mlp.w1" at a
/// hook, "probe.h.0.mlp.behind.w1" behind it, "probe.mlp.w1" the mean over layers. Statistics:
/// mean_shift (in standard deviations of evaluation), variance_ratio, square_ratio (of E[x²]),
/// skewness_shift, kurtosis_shift, w1.
inline constexpr std::string_view kProbePrefix = "probe.";
inline constexpr std::string_view kShifts[] = {"mean_shift",     "variance_ratio", "square_ratio",
                                               "skewness_shift", "kurtosis_shift", "w1"};

}  // namespace lab
