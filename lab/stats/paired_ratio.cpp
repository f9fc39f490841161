#include "lab/stats/paired_ratio.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lab {

PairedRatio paired_ratio(std::span<const double> x, std::span<const double> y) {
  const std::size_t n = x.size();
  std::vector<double> logs(n), means;
  for (std::size_t i = 0; i < n; ++i) logs[i] = std::log(x[i] / y[i]);
  means.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) means.push_back((logs[i] + logs[j]) / 2);
  std::sort(means.begin(), means.end());
  const std::size_t count = means.size();
  PairedRatio result;
  result.ratio = std::exp((means[(count - 1) / 2] + means[count / 2]) / 2);
  // Wilcoxon's statistic has mean M/2 and variance n(n+1)(2n+1)/24 where the median is right.
  const auto pairs = static_cast<double>(n);
  const double spread = 1.959964 * std::sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24);
  const double outside = std::floor(static_cast<double>(count) / 2 - spread);
  if (outside >= 1) {
    const auto k = static_cast<std::size_t>(outside);
    result.ci95 = Interval{std::exp(means[k - 1]), std::exp(means[count - k])};
  }
  return result;
}

}  // namespace lab
