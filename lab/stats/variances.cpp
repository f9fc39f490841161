#include "lab/stats/variances.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"
#include "lab/stats/distributions.h"

namespace lab {

std::optional<VarianceRatio> pitman_morgan(std::span<const double> x, std::span<const double> y,
                                           double alpha) {
  base::require(x.size() == y.size(), "[variances] ", x.size(), " and ", y.size(),
                " values: pairs need as many of each");
  const auto a = summarize(x), b = summarize(y);
  if (!a || !b || a->n < 3 || a->sd == 0 || b->sd == 0) return std::nullopt;
  double covariance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) covariance += (x[i] - a->mean) * (y[i] - b->mean);
  const double dof = a->n - 2;
  const double r = std::clamp(covariance / (a->n - 1) / (a->sd * b->sd), -1.0, 1.0);
  // The t of the correlation of sums and differences, in terms of the ratio and r.
  const double ratio = (a->sd / b->sd) * (a->sd / b->sd), rest = 1 - r * r;
  VarianceRatio out{ratio, {ratio, ratio}, ratio == 1 ? 1.0 : 0.0};
  if (rest > 0) {
    out.p = std::min(
        1.0, 2 * student_tail(dof, std::abs(ratio - 1) / 2 * std::sqrt(dof / (ratio * rest))));
    const double t = student_critical(dof, alpha / 2), k = 1 + 2 * t * t * rest / dof;
    const double reach = k + std::sqrt(k * k - 1);
    out.ci = {ratio / reach, ratio * reach};
  }
  return out;
}

}  // namespace lab
