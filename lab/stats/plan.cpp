#include "lab/stats/plan.h"

#include <cmath>

#include "base/error.h"

namespace lab {
namespace {

/// The smallest n in [2, limit] for which `enough`, which must stay true once it is.
template <class Enough>
std::optional<int> smallest(int limit, Enough enough) {
  int lo = 2, hi = limit;
  if (hi < lo || !enough(hi)) return std::nullopt;
  while (lo < hi) {
    const int mid = lo + (hi - lo) / 2;
    if (enough(mid)) {
      hi = mid;
    } else {
      lo = mid + 1;
    }
  }
  return lo;
}

}  // namespace

std::optional<int> pairs_for_difference(double effect, double sd, double alpha, double power,
                                        int most) {
  return smallest(most, [&](int n) { return t_test_power({n, effect, sd}, alpha) >= power; });
}

std::optional<int> pairs_for_equivalence(double diff, double sd, double margin, double alpha,
                                         double power, int most) {
  return smallest(most, [&](int n) {
    return equivalence_power({n, diff, sd}, margin, alpha) >= power;
  });
}

SeedPlan plan_pairs(const Sample& x, const PlanRules& rules) {
  base::require(x.n >= 2, "[plan] ", x.n, " pairs say nothing about the spread: 2 are needed");
  SeedPlan plan;
  plan.sd = sd_interval(x, rules.sd_level);
  const auto difference = [&](double effect) {
    const auto pairs = [&](double sd) {
      return pairs_for_difference(effect, sd, rules.alpha_difference, rules.power, rules.most);
    };
    const auto power = [&](double sd) {
      return t_test_power({x.n, effect, sd}, rules.alpha_difference);
    };
    return EffectPlan{
        effect, {pairs(plan.sd.lo), pairs(plan.sd.hi)}, {power(plan.sd.hi), power(plan.sd.lo)}};
  };
  plan.margin = difference(rules.margin);
  plan.half = difference(std::abs(x.mean) / 2);
  const auto pairs = [&](double sd) {
    return pairs_for_equivalence(0, sd, rules.margin, rules.alpha_equivalence, rules.power,
                                 rules.most);
  };
  const auto power = [&](double sd) {
    return equivalence_power({x.n, 0, sd}, rules.margin, rules.alpha_equivalence);
  };
  plan.nothing = {
      0, {pairs(plan.sd.lo), pairs(plan.sd.hi)}, {power(plan.sd.hi), power(plan.sd.lo)}};
  return plan;
}

}  // namespace lab
