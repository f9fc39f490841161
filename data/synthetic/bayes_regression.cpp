#include "data/synthetic/bayes_regression.h"

#include <cmath>
#include <numbers>

namespace data {

// The posterior N(m, Σ) of w, updated by one pair at a time (recursive least squares):
// k = Σx / (xᵀΣx + noise²), m += k·(y − x·m), Σ −= k·(Σx)ᵀ
std::vector<double> bayes_predictions(std::span<const float> x, std::span<const float> y,
                                      double noise) {
  const std::size_t d = x.size() / y.size();
  std::vector<double> mean(d, 0.0), covariance(d * d, 0.0), along(d), out;
  for (std::size_t i = 0; i < d; ++i) covariance[i * d + i] = 1;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const auto at = [&](std::size_t i) { return static_cast<double>(x[t * d + i]); };
    double predicted = 0, variance = noise * noise;
    for (std::size_t i = 0; i < d; ++i) {
      along[i] = 0;
      for (std::size_t j = 0; j < d; ++j) along[i] += covariance[i * d + j] * at(j);
      predicted += mean[i] * at(i);
      variance += along[i] * at(i);
    }
    out.push_back(predicted);
    out.push_back(std::sqrt(variance));
    const double surprise = static_cast<double>(y[t]) - predicted;
    for (std::size_t i = 0; i < d; ++i) {
      mean[i] += along[i] * surprise / variance;
      for (std::size_t j = 0; j < d; ++j) covariance[i * d + j] -= along[i] * along[j] / variance;
    }
  }
  return out;
}

double normal_loss(std::span<const double> predictions, std::span<const float> y) {
  double sum = 0;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const double sd = predictions[2 * t + 1];
    const double z = (static_cast<double>(y[t]) - predictions[2 * t]) / sd;
    sum += 0.5 * std::log(2 * std::numbers::pi) + std::log(sd) + 0.5 * z * z;
  }
  return sum / static_cast<double>(y.size());
}

}  // namespace data
