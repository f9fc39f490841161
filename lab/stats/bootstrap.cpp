#include "lab/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "lab/stats/estimate.h"

namespace lab {

std::vector<double> bootstrap(std::size_t n, int replicates, engine::Sequence& random,
                              const Resampled& statistic) {
  base::require(n > 0 && replicates > 0, "[bootstrap] ", replicates, " resamples of ", n,
                " units: both must be above 0");
  std::vector<std::size_t> drawn(n);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(replicates));
  for (int r = 0; r < replicates; ++r) {
    for (std::size_t& unit : drawn) unit = static_cast<std::size_t>(random.below(n));
    const double value = statistic(drawn);
    if (!std::isnan(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

Interval percentile_interval(std::span<const double> sorted, double alpha) {
  const double below = std::floor((static_cast<double>(sorted.size()) + 1) * alpha / 2);
  base::require(below >= 1, "[bootstrap] ", sorted.size(),
                " resamples are too few for alpha = ", alpha, ": take at least ",
                std::ceil(2 / alpha) - 1);
  const auto k = static_cast<std::size_t>(below);
  return {sorted[k - 1], sorted[sorted.size() - k]};
}

Interval studentized_interval(double mean, double se, std::span<const double> sorted_t,
                              double alpha) {
  const Interval t = percentile_interval(sorted_t, alpha);
  return {mean - t.hi * se, mean - t.lo * se};
}

Interval bootstrap_t(std::span<const double> x, int replicates, engine::Sequence& random,
                     double alpha) {
  const auto sample = summarize(x);
  base::require(sample && sample->n >= 3, "[bootstrap] ", x.size(),
                " numbers: a studentized interval needs 3 finite ones");
  const Estimate whole = estimate(*sample);
  if (whole.se == 0) return {whole.mean, whole.mean};
  std::vector<double> resample(x.size());
  const auto t = bootstrap(x.size(), replicates, random, [&](std::span<const std::size_t> drawn) {
    for (std::size_t i = 0; i < drawn.size(); ++i) resample[i] = x[drawn[i]];
    const Estimate e = estimate(summarize(resample).value());
    return e.se > 0 ? (e.mean - whole.mean) / e.se : std::numeric_limits<double>::quiet_NaN();
  });
  return studentized_interval(whole.mean, whole.se, t, alpha);
}

}  // namespace lab
