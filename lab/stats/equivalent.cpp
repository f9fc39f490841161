#include "lab/stats/equivalent.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "base/error.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The curves' sample at u ∈ [0, 1] between the points k and k + 1, or at k.
Estimate between(std::span<const double> d, std::size_t points, std::size_t k, double u) {
  std::vector<double> values;
  for (std::size_t row = 0; row < d.size(); row += points) {
    const double a = d[row + k];
    values.push_back(u == 0 ? a : a + u * (d[row + k + 1] - a));
  }
  const auto sample = summarize(values);
  base::require(sample.has_value(), "[crossing] point ", k, " of a curve is not finite");
  return estimate(*sample);
}

/// The first x at which mean + t·se is ≤ 0.
double first_zero(std::span<const double> x, std::span<const double> d, double t) {
  const auto bound = [&](std::size_t k, double u) {
    const Estimate e = between(d, x.size(), k, u);
    return e.mean + t * e.se;
  };
  constexpr int kSteps = 60;
  if (const double start = bound(0, 0); start <= 0) return start < 0 ? -kInfinity : x[0];
  for (std::size_t k = 0; k + 1 < x.size(); ++k) {
    double lo = 0, hi = 1;
    if (bound(k + 1, 0) > 0) {
      if (t <= 0) continue;  // concave between points, no dip
      // Convex: it may dip below 0 and come back. Its lowest point, by thirds:
      for (int i = 0; i < kSteps; ++i) {
        const double a = lo + (hi - lo) / 3, b = hi - (hi - lo) / 3;
        if (bound(k, a) < bound(k, b)) {
          hi = b;
        } else {
          lo = a;
        }
      }
      if (bound(k, hi) > 0) continue;
      lo = 0;
    }
    for (int i = 0; i < kSteps; ++i) {  // above 0 at lo, not at hi, one zero between them
      const double mid = (lo + hi) / 2;
      (bound(k, mid) > 0 ? lo : hi) = mid;
    }
    return x[k] + hi * (x[k + 1] - x[k]);
  }
  return kInfinity;
}

ComputeEquivalent as_equivalent(double log_share, std::span<const double> shares) {
  using Relation = ComputeEquivalent::Relation;
  if (log_share == -kInfinity) return {shares.front(), Relation::kBelow};
  if (log_share == kInfinity) return {shares.back(), Relation::kAbove};
  return {std::exp2(log_share), Relation::kEqual};
}

void check(const SeedCurves& c) {
  base::require(c.first.size() == c.shares.size() * c.arm.size(), "[equivalent] ", c.first.size(),
                " losses of the first arm, but ", c.arm.size(), " seeds × ", c.shares.size(),
                " shares");
  for (std::size_t k = 0; k < c.shares.size(); ++k)
    base::require(c.shares[k] > (k ? c.shares[k - 1] : 0), "[equivalent] share ", c.shares[k],
                  ": shares must ascend from above 0");
}

}  // namespace

std::string to_string(const ComputeEquivalent& e) {
  using Relation = ComputeEquivalent::Relation;
  if (e.relation == Relation::kBelow) return fmt::format("<{:g}", e.share);
  if (e.relation == Relation::kAbove) return fmt::format(">{:g}", e.share);
  return fmt::format("{:.2f}", e.share);
}

std::optional<ComputeEquivalent> compute_equivalent(std::span<const BudgetLoss> curve,
                                                    double loss) {
  using Relation = ComputeEquivalent::Relation;
  if (curve.empty()) return std::nullopt;
  base::require(std::isfinite(loss), "[equivalent] loss ", loss, " of the arm is not finite");
  ComputeEquivalent out;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    base::require(std::isfinite(curve[i].loss) && curve[i].share > (i ? curve[i - 1].share : 0),
                  "[equivalent] point ", i, " (share ", curve[i].share, ", loss ", curve[i].loss,
                  "): shares must ascend from above 0 and losses be finite");
    out.rises = out.rises || (i && curve[i].loss > curve[i - 1].loss);
  }
  if (curve[0].loss <= loss) {
    out.share = curve[0].share;
    out.relation = curve[0].loss < loss ? Relation::kBelow : Relation::kEqual;
    return out;
  }
  // Every point before i lies above `loss`, so the first one that doesn't ends the first crossing.
  for (std::size_t i = 1; i < curve.size(); ++i) {
    const BudgetLoss &a = curve[i - 1], &b = curve[i];
    if (b.loss > loss) continue;
    const double along = (a.loss - loss) / (a.loss - b.loss);
    out.share = a.share * std::exp2(along * std::log2(b.share / a.share));
    return out;
  }
  out.share = curve.back().share;
  out.relation = Relation::kAbove;
  return out;
}

std::optional<Crossing> first_crossing(std::span<const double> x, std::span<const double> d,
                                       double alpha) {
  if (x.empty() || d.size() < 2 * x.size()) return std::nullopt;
  base::require(d.size() % x.size() == 0, "[crossing] ", d.size(), " values on ", x.size(),
                " points: every seed needs all of them");
  const double t = student_critical(static_cast<double>(d.size() / x.size() - 1), alpha / 2);
  return Crossing{first_zero(x, d, 0), {first_zero(x, d, -t), first_zero(x, d, t)}};
}

std::optional<EquivalentInterval> equivalent_interval(const SeedCurves& curves, double alpha) {
  check(curves);
  const std::size_t points = curves.shares.size();
  std::vector<double> x, d(curves.first.begin(), curves.first.end());
  for (const double share : curves.shares) x.push_back(std::log2(share));
  for (std::size_t i = 0; i < d.size(); ++i) d[i] -= curves.arm[i / points];
  const auto found = first_crossing(x, d, alpha);
  if (!found) return std::nullopt;
  return EquivalentInterval{as_equivalent(found->ci.lo, curves.shares),
                            as_equivalent(found->ci.hi, curves.shares)};
}

}  // namespace lab
