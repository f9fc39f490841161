// How many more pairs (seeds) would tell? Planned from what the spread may be, not from the effect
// that happened to be seen.
#pragma once
#include <optional>

#include "lab/stats/stats.h"

namespace lab {

/// The smallest n in [2, most] on which the paired t test at level alpha finds a true mean of
/// `effect` with probability `power`, standard deviation sd; nullopt: more than `most`.
std::optional<int> pairs_for_difference(double effect, double sd, double alpha, double power,
                                        int most);

/// The same for two one-sided tests that place a true mean of `diff` within ±margin. REQUIRES:
/// power well above 0.05: below that the power is not monotone in n.
std::optional<int> pairs_for_equivalence(double diff, double sd, double margin, double alpha,
                                         double power, int most);

struct PlanRules {
  double margin = 0.01;            // differences within it don't matter
  double alpha_difference = 0.05;  // as the table's correction asks of the next arm
  double alpha_equivalence = 0.05;
  double power = 0.8;
  double sd_level = 0.8;  // coverage of the interval for σ
  int most = 1000;        // pairs; more are given as "more than"
};

/// Totals of pairs, and the power with the pairs there are, at the lower and upper end of the
/// interval for σ: `pairs.lo` and `power.hi` belong to the small σ.
struct PairsRange {
  std::optional<int> lo, hi;
};
struct EffectPlan {
  double effect = 0;
  PairsRange pairs;
  Interval power;
};

/// What n more pairs could show, for three truths stated beforehand:
///   margin   a mean as large as the margin, the smallest that would matter, found by the t test
///   half     a mean of half of what was observed, found by the t test
///   nothing  a mean of 0, placed within the margin
///
/// The observed mean itself is not among them. Who asks for more pairs has seen an effect that
/// wasn't quite enough, and of several arms often the largest: taken as true it promises too much
/// (the winner's curse; Button et al. 2013, Nat. Rev. Neurosci. 14:365). Half is a convention.
struct SeedPlan {
  Interval sd;
  EffectPlan margin, half, nothing;
};

/// REQUIRES: x.n ≥ 2.
SeedPlan plan_pairs(const Sample& x, const PlanRules& rules);

}  // namespace lab
