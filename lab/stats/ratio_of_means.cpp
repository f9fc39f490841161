#include "lab/stats/ratio_of_means.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/stats/distributions.h"

namespace lab {

std::optional<RatioOfMeans> ratio_of_means(std::span<const double> x, std::span<const double> y,
                                           double alpha) {
  base::require(x.size() == y.size(), "ratio of means: ", x.size(), " and ", y.size(),
                " values are no pairs");
  const auto sx = summarize(x), sy = summarize(y);
  if (!sx || !sy) return {};
  const auto n = static_cast<double>(x.size());
  double sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sxy += (x[i] - sx->mean) * (y[i] - sy->mean);
  sxy /= n - 1;
  const double t = student_critical(n - 1, alpha / 2), k = t * t / n;
  // (x̄ − R·ȳ)² ≤ k·(s_xx − 2R·s_xy + R²·s_yy): a·R² − 2b·R + c ≤ 0
  const double a = sy->mean * sy->mean - k * sy->sd * sy->sd, b = sx->mean * sy->mean - k * sxy,
               c = sx->mean * sx->mean - k * sx->sd * sx->sd;
  if (!(a > 0)) return {};
  const double root = std::sqrt(std::max(0.0, b * b - a * c));
  return RatioOfMeans{sx->mean / sy->mean, {(b - root) / a, (b + root) / a}};
}

}  // namespace lab
