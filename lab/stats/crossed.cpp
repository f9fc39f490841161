#include "lab/stats/crossed.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/error.h"

namespace lab {
std::optional<Crossed> crossed(std::span<const double> d, int seeds) {
  const auto n = static_cast<std::size_t>(seeds);
  base::require(seeds > 0 && d.size() % n == 0, "[crossed] ", d.size(), " differences are not ",
                seeds, " seeds on the same windows");
  if (n < 2 || d.size() < 2 * n) return std::nullopt;
  const std::size_t w = d.size() / n;
  const auto nd = static_cast<double>(n), wd = static_cast<double>(w);
  // Around the first value: equal differences then have exactly their value as the mean.
  const double origin = d[0];
  std::vector<double> row(n, 0), column(w, 0);  // means
  double grand = 0, seed_sum = 0, window_sum = 0, rest = 0;
  for (std::size_t s = 0; s < n; ++s) {
    for (std::size_t k = 0; k < w; ++k) {
      const double v = d[s * w + k] - origin;
      row[s] += v / wd;
      column[k] += v / nd;
    }
    grand += row[s] / nd;
  }
  for (std::size_t s = 0; s < n; ++s) {
    seed_sum += wd * (row[s] - grand) * (row[s] - grand);
    double sum = 0;
    for (std::size_t k = 0; k < w; ++k) {
      const double e = d[s * w + k] - origin - row[s] - column[k] + grand;
      sum += e * e;
    }
    rest += sum;
  }
  for (std::size_t k = 0; k < w; ++k) window_sum += nd * (column[k] - grand) * (column[k] - grand);
  const double dof_s = nd - 1, dof_w = wd - 1, dof_e = dof_s * dof_w;
  const double ms_s = seed_sum / dof_s, ms_w = window_sum / dof_w, ms_e = rest / dof_e;
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

}  // namespace lab
