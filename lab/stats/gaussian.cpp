#include "lab/stats/gaussian.h"

#include <cmath>
#include <cstddef>
#include <numbers>

#include "base/error.h"
#include "lab/stats/distributions.h"

namespace lab {

double gaussian_nll(const Gaussian& forecast, double y) {
  const double z = (y - forecast.mean) / forecast.sd;
  return std::log(2 * std::numbers::pi) / 2 + std::log(forecast.sd) + z * z / 2;
}

double gaussian_crps(const Gaussian& forecast, double y) {
  if (forecast.sd == 0) return std::abs(y - forecast.mean);
  const double z = (y - forecast.mean) / forecast.sd;
  return forecast.sd * (z * (2 * normal_cdf(z) - 1) + 2 * normal_pdf(z) - std::numbers::inv_sqrtpi);
}

Interval central_interval(const Gaussian& forecast, double level) {
  const double half = normal_quantile((1 + level) / 2) * forecast.sd;
  return {forecast.mean - half, forecast.mean + half};
}

double coverage(std::span<const Interval> intervals, std::span<const double> truths) {
  base::require(!truths.empty() && intervals.size() == truths.size(), "[coverage] ",
                intervals.size(), " intervals for ", truths.size(), " truths");
  std::size_t inside = 0;
  for (std::size_t i = 0; i < truths.size(); ++i)
    inside += intervals[i].lo <= truths[i] && truths[i] <= intervals[i].hi;
  return static_cast<double>(inside) / static_cast<double>(truths.size());
}

}  // namespace lab
