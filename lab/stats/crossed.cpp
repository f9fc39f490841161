#include "lab/stats/crossed.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/error.h"
#include "lab/stats/bootstrap.h"

namespace lab {
namespace {

using Weights = std::vector<double>;

/// Of a matrix whose row s stands for rows[s] rows and whose column w for columns[w] columns.
std::optional<Crossed> weighted(std::span<const double> d, const Weights& rows,
                                const Weights& columns) {
  const std::size_t n = rows.size(), w = columns.size();
  const auto nd = static_cast<double>(n), wd = static_cast<double>(w);
  // Around the first value: equal differences then have exactly their value as the mean.
  const double origin = d[0];
  Weights row(n, 0), column(w, 0);  // means
  double grand = 0, seeds = 0, windows = 0, rest = 0;
  for (std::size_t s = 0; s < n; ++s) {
    if (rows[s] == 0) continue;
    for (std::size_t k = 0; k < w; ++k) {
      const double v = d[s * w + k] - origin;
      row[s] += columns[k] * v / wd;
      column[k] += rows[s] * v / nd;
    }
    grand += rows[s] * row[s] / nd;
  }
  for (std::size_t s = 0; s < n; ++s) {
    if (rows[s] == 0) continue;
    seeds += rows[s] * wd * (row[s] - grand) * (row[s] - grand);
    double sum = 0;
    for (std::size_t k = 0; k < w; ++k) {
      const double e = d[s * w + k] - origin - row[s] - column[k] + grand;
      sum += columns[k] * e * e;
    }
    rest += rows[s] * sum;
  }
  for (std::size_t k = 0; k < w; ++k)
    windows += columns[k] * nd * (column[k] - grand) * (column[k] - grand);
  const double dof_s = nd - 1, dof_w = wd - 1, dof_e = dof_s * dof_w;
  const double ms_s = seeds / dof_s, ms_w = windows / dof_w, ms_e = rest / dof_e;
  if (!std::isfinite(ms_s + ms_w + ms_e)) return std::nullopt;

  const double over_windows = std::max(ms_w - ms_e, 0.0), total = ms_s + over_windows;
  Crossed out;
  out.seeds = static_cast<int>(n);
  out.windows = static_cast<int>(w);
  out.var_seed = std::max(ms_s - ms_e, 0.0) / wd;
  out.var_window = over_windows / nd;
  out.var_rest = ms_e;
  out.seed_part = ms_s / (nd * wd);
  out.window_part = over_windows / (nd * wd);
  const double spread = ms_s * ms_s / dof_s + ms_w * ms_w / dof_w + ms_e * ms_e / dof_e;
  const double dof = spread > 0 ? std::max(total * total / spread, dof_s) : dof_s;
  out.mean = {origin + grand, std::sqrt(total / (nd * wd)), dof};
  return out;
}

}  // namespace

std::optional<Crossed> crossed(std::span<const double> d, int seeds) {
  const auto n = static_cast<std::size_t>(seeds);
  base::require(seeds > 0 && d.size() % n == 0, "[crossed] ", d.size(), " differences are not ",
                seeds, " seeds on the same windows");
  if (n < 2 || d.size() < 2 * n) return std::nullopt;
  return weighted(d, Weights(n, 1), Weights(d.size() / n, 1));
}

std::optional<Interval> crossed_bootstrap(std::span<const double> d, int seeds, int replicates,
                                          engine::Sequence& random, double alpha) {
  const auto whole = crossed(d, seeds);
  if (!whole) return std::nullopt;
  if (whole->mean.se == 0) return Interval{whole->mean.mean, whole->mean.mean};
  const auto draw = [&](int n) {
    Weights counts(static_cast<std::size_t>(n), 0);
    for (int i = 0; i < n; ++i) ++counts[random.below(counts.size())];
    return counts;
  };
  std::vector<double> t;
  for (int r = 0; r < replicates; ++r) {
    const Weights rows = draw(whole->seeds), columns = draw(whole->windows);
    const auto e = weighted(d, rows, columns);
    if (e && e->mean.se > 0) t.push_back((e->mean.mean - whole->mean.mean) / e->mean.se);
  }
  if (t.empty()) return std::nullopt;
  std::sort(t.begin(), t.end());
  return studentized_interval(whole->mean.mean, whole->mean.se, t, alpha);
}

}  // namespace lab
