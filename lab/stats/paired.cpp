#include "lab/stats/paired.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

/// How many of the choices of signs for d[i], d[i + 1], … give a |sum| of at least `bound`.
std::uint64_t count(std::span<const double> d, double sum, double bound) {
  if (d.empty()) return std::abs(sum) >= bound;
  return count(d.subspan(1), sum + d[0], bound) + count(d.subspan(1), sum - d[0], bound);
}

}  // namespace

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

std::optional<RatioOfMeans> ratio_of_means(std::span<const double> x, std::span<const double> y,
                                           double alpha) {
  base::require(x.size() == y.size(), "ratio of means: ", x.size(), " and ", y.size(),
                " values do not make pairs");
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

std::optional<double> sign_flip_test(std::span<const double> differences) {
  const std::size_t n = differences.size();
  if (n == 0 || n > kMostSignFlips) return std::nullopt;
  double sum = 0, scale = 0;
  for (const double d : differences) {
    sum += d;
    scale += std::abs(d);
  }
  constexpr double kRounding = 1e-13;  // of sums of up to 20 numbers, with room
  // All signs turned give the same |sum|: the first one can stay.
  const std::uint64_t as_far =
      count(differences.subspan(1), differences[0], std::abs(sum) - kRounding * scale);
  return std::ldexp(static_cast<double>(as_far), 1 - static_cast<int>(n));
}

}  // namespace lab
