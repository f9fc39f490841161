// How much compute is an arm worth? The share of the budget at which the first arm reaches its
// loss.
#pragma once
#include <optional>
#include <span>
#include <string>

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

}  // namespace lab
