#include "lab/stats/equivalent.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>

#include "base/error.h"

namespace lab {

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

}  // namespace lab
