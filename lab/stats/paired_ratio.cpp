#include "lab/stats/paired_ratio.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lab {

namespace {

/// The Hodges–Lehmann estimate of the values' centre, with Wilcoxon's interval.
PairedDifference centre(const std::vector<double>& values) {
  const std::size_t n = values.size();
  std::vector<double> means;
  means.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) means.push_back((values[i] + values[j]) / 2);
  std::sort(means.begin(), means.end());
  const std::size_t count = means.size();
  PairedDifference result;
  result.difference = (means[(count - 1) / 2] + means[count / 2]) / 2;
  // Wilcoxon's statistic has mean M/2 and variance n(n+1)(2n+1)/24 where the median is right.
  const auto pairs = static_cast<double>(n);
  const double spread = 1.959964 * std::sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24);
  const double outside = std::floor(static_cast<double>(count) / 2 - spread);
  if (outside >= 1) {
    const auto k = static_cast<std::size_t>(outside);
    result.ci95 = Interval{means[k - 1], means[count - k]};
  }
  return result;
}

}  // namespace

PairedRatio paired_ratio(std::span<const double> x, std::span<const double> y) {
  std::vector<double> logs(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) logs[i] = std::log(x[i] / y[i]);
  const PairedDifference d = centre(logs);
  PairedRatio result{std::exp(d.difference), {}};
  if (d.ci95) result.ci95 = Interval{std::exp(d.ci95->lo), std::exp(d.ci95->hi)};
  return result;
}

PairedDifference paired_difference(std::span<const double> x, std::span<const double> y) {
  std::vector<double> differences(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) differences[i] = x[i] - y[i];
  return centre(differences);
}

}  // namespace lab
