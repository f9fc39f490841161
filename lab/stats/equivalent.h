// How much compute is an arm worth? The share of the budget at which the first arm reaches its
// loss, and how well the seeds know it.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "lab/stats/stats.h"

namespace lab {

/// The first arm's mean final loss when trained for `share` of the budget, with a schedule that
/// ends there.
struct BudgetLoss {
  double share = 0, loss = 0;
};

struct ComputeEquivalent {
  enum class Relation { kEqual, kBelow, kAbove };
  double share = 0;  // kBelow, kAbove: the end of the curve that it lies beyond
  Relation relation = Relation::kEqual;
  bool rises = false;  // the first arm's loss rises somewhere with compute (it overfits)
};

/// "0.71"; "<0.25", ">2" outside the curve.
std::string to_string(const ComputeEquivalent& e);

/// The smallest share of the budget at which the first arm's loss is `loss` or lower.
///
/// The curve goes through its points in straight lines of loss against log₂(share): over a factor
/// of 2 the error against a power law L∞ + a·share^−b (Kaplan et al. 2020, arXiv:2001.08361,
/// eq. 1.3; b ≈ 0.05 to 0.1) is below a hundredth of the step, b·ln 2 / 8. At budgets that no point
/// reaches nothing is said: kBelow when the smallest budget already gives a lower loss, kAbove when
/// no point of the curve is as low. Where the curve rises with compute (data repeated too often) a
/// loss may be passed twice; "smallest" then answers "how little compute would the first arm have
/// needed", and `rises` says that more compute makes it worse: an arm can be better at the full
/// budget and still be worth "<0.25".
///
/// nullopt without points. REQUIRES: shares positive and ascending, losses finite.
std::optional<ComputeEquivalent> compute_equivalent(std::span<const BudgetLoss> curve, double loss);

/// A place on a curve: −∞ where the curve starts below 0, +∞ where no point of it does.
struct Crossing {
  double at = 0;
  Interval ci;
};

/// The first x at which the mean over seeds of curves d_s(x), straight between their points, is 0
/// or below, with an interval that covers it with probability 1 − α.
///
/// The interval is the paired t test turned around: at every x the seeds' d_s(x) are a sample, and
/// the mean's one-sided bounds at α/2 are themselves curves; the interval reaches from the first x
/// where the lower bound is ≤ 0 to the first where the upper one is (Fieller 1954, J. R. Stat. Soc.
/// B 16:175, along the curve). Curves over the same seeds may be as dependent as they like. It says
/// nothing about the straight lines between points. Over a flat stretch it is wide or open, as it
/// should be.
///
/// x ascending; `d` row-major (seeds, x.size()). nullopt for fewer than 2 seeds or no point.
std::optional<Crossing> first_crossing(std::span<const double> x, std::span<const double> d,
                                       double alpha = 0.05);

/// One seed each: losses of the first arm when trained for each share, and the arm's at 1.
struct SeedCurves {
  std::span<const double> shares;  // positive, ascending
  std::span<const double> first;   // row-major (seeds, shares)
  std::span<const double> arm;     // (seeds)
};

struct EquivalentInterval {
  ComputeEquivalent lo, hi;
};

/// Interval of compute_equivalent() on the mean curve and the mean loss of the arm, by
/// first_crossing() over log₂(share). Where the arm is surely worth less than the smallest share
/// both ends are kBelow. nullopt for fewer than 2 seeds or no share.
std::optional<EquivalentInterval> equivalent_interval(const SeedCurves& curves,
                                                      double alpha = 0.05);

}  // namespace lab
