#include "lab/stats/estimate.h"

#include <algorithm>
#include <cmath>

#include "lab/stats/distributions.h"

namespace lab {

Estimate estimate(const Sample& x) {
  return {x.mean, x.sd / std::sqrt(static_cast<double>(x.n)), static_cast<double>(x.n - 1)};
}

Interval t_interval(const Estimate& x, double alpha) {
  const double half = x.se == 0 ? 0 : student_critical(x.dof, alpha / 2) * x.se;
  return {x.mean - half, x.mean + half};
}

double t_test(const Estimate& x) {
  if (x.mean == 0) return 1;  // 0 / 0 too
  return std::min(1.0, 2 * student_tail(x.dof, std::abs(x.mean) / x.se));
}

double equivalence_test(const Estimate& x, double margin) {
  // The larger p is that of the nearer edge. On the edge itself nothing speaks for "inside".
  const double inside = margin - std::abs(x.mean);
  if (x.se == 0) return inside > 0 ? 0.0 : 1.0;
  return student_tail(x.dof, inside / x.se);
}

std::vector<std::optional<Interval>> simultaneous_intervals(
    std::span<const std::optional<Estimate>> arms, double alpha) {
  std::vector<std::optional<Interval>> out(arms.size());
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i]) out[i] = t_interval(*arms[i], alpha / static_cast<double>(arms.size()));
  }
  return out;
}

}  // namespace lab
