#include "tests/validation/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "lab/stats/crossed.h"

namespace validation {

using lab::BudgetLoss, lab::ComputeEquivalent, lab::Estimate;

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
  const auto sample = lab::summarize(x);
  base::require(sample && sample->n >= 3, "[bootstrap] ", x.size(),
                " numbers: a studentized interval needs 3 finite ones");
  const Estimate whole = lab::estimate(*sample);
  if (whole.se == 0) return {whole.mean, whole.mean};
  std::vector<double> resample(x.size());
  const auto t = bootstrap(x.size(), replicates, random, [&](std::span<const std::size_t> drawn) {
    for (std::size_t i = 0; i < drawn.size(); ++i) resample[i] = x[drawn[i]];
    const Estimate e = lab::estimate(lab::summarize(resample).value());
    return e.se > 0 ? (e.mean - whole.mean) / e.se : std::numeric_limits<double>::quiet_NaN();
  });
  return studentized_interval(whole.mean, whole.se, t, alpha);
}

std::optional<Interval> crossed_bootstrap(std::span<const double> d, int seeds, int replicates,
                                          engine::Sequence& random, double alpha) {
  const auto whole = lab::crossed(d, seeds);
  if (!whole) return std::nullopt;
  const Estimate& mean = whole->mean;
  if (mean.se == 0) return Interval{mean.mean, mean.mean};
  const auto draw = [&](int n) {
    std::vector<std::size_t> drawn;
    for (int i = 0; i < n; ++i) drawn.push_back(random.below(static_cast<std::size_t>(n)));
    return drawn;
  };
  const auto width = static_cast<std::size_t>(whole->windows);
  std::vector<double> t, resample;
  for (int r = 0; r < replicates; ++r) {
    const auto rows = draw(whole->seeds), columns = draw(whole->windows);
    resample.clear();
    for (const std::size_t row : rows)
      for (const std::size_t column : columns) resample.push_back(d[row * width + column]);
    const auto e = lab::crossed(resample, seeds);
    if (e && e->mean.se > 0) t.push_back((e->mean.mean - mean.mean) / e->mean.se);
  }
  if (t.empty()) return std::nullopt;
  std::sort(t.begin(), t.end());
  return studentized_interval(mean.mean, mean.se, t, alpha);
}

std::optional<EquivalentInterval> equivalent_bootstrap(const SeedCurves& curves, int replicates,
                                                       engine::Sequence& random, double alpha) {
  using Relation = ComputeEquivalent::Relation;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::size_t points = curves.shares.size(), seeds = curves.arm.size();
  if (seeds < 2 || points == 0) return std::nullopt;
  const auto values = bootstrap(seeds, replicates, random, [&](std::span<const std::size_t> drawn) {
    std::vector<BudgetLoss> curve;
    for (const double share : curves.shares) curve.push_back({share, 0});
    double loss = 0;
    for (const std::size_t s : drawn) {
      loss += curves.arm[s] / static_cast<double>(seeds);
      for (std::size_t k = 0; k < points; ++k)
        curve[k].loss += curves.first[s * points + k] / static_cast<double>(seeds);
    }
    const ComputeEquivalent e = compute_equivalent(curve, loss).value();
    if (e.relation == Relation::kEqual) return std::log2(e.share);
    return e.relation == Relation::kBelow ? -kInfinity : kInfinity;
  });
  const Interval ci = percentile_interval(values, alpha);
  const auto equivalent = [&](double log_share) -> ComputeEquivalent {
    if (log_share == -kInfinity) return {curves.shares.front(), Relation::kBelow};
    if (log_share == kInfinity) return {curves.shares.back(), Relation::kAbove};
    return {std::exp2(log_share), Relation::kEqual};
  };
  return EquivalentInterval{equivalent(ci.lo), equivalent(ci.hi)};
}

}  // namespace validation
