#include "lab/stats/stats.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

#include "base/error.h"

namespace lab {
namespace {

namespace bm = boost::math;

/// P(T > t), T noncentral t, t > 0: with T = (Z + ncp)/√(χ²/dof). Far from 0 the spread of Z no
/// longer counts and Boost's series gets slow, so there Z is put to 0: χ² < dof (ncp/t)².
double noncentral_tail(double dof, double ncp, double t) {
  constexpr double kFar = 100;
  if (ncp < -kFar) return 0;
  if (ncp <= kFar) return bm::cdf(bm::complement(bm::non_central_t(dof, ncp), t));
  const double r = ncp / t;
  return r > 1e6 ? 1.0 : bm::cdf(bm::chi_squared(dof), dof * r * r);
}

/// a / b where b ≥ 0, with the limit for b → 0 and 0 / 0 = 0.
double ratio(double a, double b) { return a == 0 ? 0.0 : a / b; }

}  // namespace

std::optional<double> mean(std::span<const double> x) {
  if (x.empty()) return std::nullopt;
  // Around the first value: equal numbers then have exactly their value as the mean.
  double sum = 0;
  for (const double v : x) sum += v - x[0];
  const double m = x[0] + sum / static_cast<double>(x.size());
  return std::isfinite(m) ? std::optional(m) : std::nullopt;
}

std::optional<double> sd(std::span<const double> x) {
  const auto m = mean(x);
  if (!m || x.size() < 2) return std::nullopt;
  double sum = 0;
  for (const double v : x) sum += (v - *m) * (v - *m);
  const double s = std::sqrt(sum / static_cast<double>(x.size() - 1));
  return std::isfinite(s) ? std::optional(s) : std::nullopt;
}

std::optional<Sample> summarize(std::span<const double> x) {
  const auto m = mean(x), s = sd(x);
  if (!m || !s) return std::nullopt;
  return Sample{static_cast<int>(x.size()), *m, *s};
}

std::vector<double> differences(std::span<const double> arm, std::span<const double> baseline) {
  base::require(arm.size() == baseline.size(), "[stats] ", arm.size(), " losses of the arm, ",
                baseline.size(), " of the baseline: pairs need as many of each");
  std::vector<double> out(arm.size());
  for (std::size_t i = 0; i < arm.size(); ++i) {
    out[i] = arm[i] - baseline[i];
    base::require(std::isfinite(out[i]), "[stats] pair ", i, " (", arm[i], ", ", baseline[i],
                  ") is not finite: count such a run as diverged, not as a pair");
  }
  return out;
}

Interval t_interval(const Sample& x, double alpha) { return t_interval(estimate(x), alpha); }

double t_test(const Sample& x) { return t_test(estimate(x)); }

double equivalence_test(const Sample& x, double margin) {
  return equivalence_test(estimate(x), margin);
}

std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return p[a].value_or(2.0) < p[b].value_or(2.0);  // unknown ones last
  });
  std::vector<std::optional<double>> out(p.size());
  double running = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!p[order[i]]) break;
    running = std::max(running, std::min(1.0, static_cast<double>(p.size() - i) * *p[order[i]]));
    out[order[i]] = running;
  }
  return out;
}

Interval sd_interval(const Sample& x, double level) {
  const double dof = x.n - 1, tail = (1 - level) / 2;
  const bm::chi_squared chi2(dof);
  return {x.sd * std::sqrt(dof / bm::quantile(bm::complement(chi2, tail))),
          x.sd * std::sqrt(dof / bm::quantile(chi2, tail))};
}

double t_test_power(const Sample& x, double alpha) {
  const double dof = x.n - 1, t = student_critical(dof, alpha / 2);
  const double ncp = ratio(std::abs(x.mean), estimate(x).se);
  return noncentral_tail(dof, ncp, t) + noncentral_tail(dof, -ncp, t);
}

double equivalence_power(const Sample& x, double margin, double alpha) {
  const double dof = x.n - 1, t = student_critical(dof, alpha);
  const double se = estimate(x).se;
  const double below = ratio(margin - x.mean, se), above = ratio(margin + x.mean, se);
  if (std::min(below, above) <= 0) return 0;  // true value on the edge or outside: at most α
  // Integrated over v = dof r² ~ χ²(dof), in r: the density of r is f(v) · 2 dof r.
  const bm::chi_squared chi2(dof);
  constexpr double kRest = 1e-10;
  const double from = std::sqrt(bm::quantile(chi2, kRest) / dof);
  const double end = std::sqrt(bm::quantile(bm::complement(chi2, kRest)) / dof);
  const double to = std::min(end, (below + above) / (2 * t));
  if (to <= from) return 0;
  const auto integrand = [&](double r) {
    return bm::pdf(chi2, dof * r * r) * 2 * dof * r *
           (normal_cdf(below - t * r) - normal_cdf(t * r - above));
  };
  return bm::quadrature::gauss_kronrod<double, 31>::integrate(integrand, from, to, 8, 1e-8);
}

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

namespace bm = boost::math;

double student_tail(double dof, double t) {
  if (std::isinf(t)) return t > 0 ? 0.0 : 1.0;
  return bm::cdf(bm::complement(bm::students_t(dof), t));
}

double student_critical(double dof, double tail) {
  return bm::quantile(bm::complement(bm::students_t(dof), tail));
}

double normal_cdf(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

double normal_pdf(double z) {
  return std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

double normal_quantile(double p) { return bm::quantile(bm::normal(), p); }

}  // namespace lab
