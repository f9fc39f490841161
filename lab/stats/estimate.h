// A mean with its standard error and degrees of freedom, from wherever: paired seeds, seeds crossed
// with windows, a regression. Interval, test and equivalence are the same for all of them.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "lab/stats/stats.h"

namespace lab {

/// (mean − truth)/se is taken as Student's t with `dof` degrees of freedom, which need not be
/// whole. se = 0 is a real case, see Sample, and has the same limits.
struct Estimate {
  double mean = 0, se = 0, dof = 1;
};

/// x̄, sd/√n and n − 1.
Estimate estimate(const Sample& x);

/// mean ± t(1 − α/2; dof) · se. REQUIRES: 0 < alpha < 1.
Interval t_interval(const Estimate& x, double alpha = 0.05);

/// Two-sided p of "the mean is 0".
double t_test(const Estimate& x);

/// p of "the mean lies within ±margin" by two one-sided tests, see stats.h.
double equivalence_test(const Estimate& x, double margin);

/// Intervals of m arms that cover all of their means at once with probability ≥ 1 − α, whatever the
/// dependence between the arms (Bonferroni): each is the t interval at level 1 − α/m.
///
/// Bonferroni and not Holm: intervals that agree with Holm's tests end at 0 for every arm that he
/// rejects, as long as he does not reject all (Strassburger & Bretz 2008, Stat. Med. 27:4914, for
/// one-sided ones), which hides the size of the very effects that were found. These keep both ends,
/// and agree one way: an interval without 0 has p̃ ≤ m·p < α by Holm. Where Holm rejects and the
/// interval holds 0 (α/m ≤ p < α/(m − i + 1)), the report must let both stand. An arm that isn't
/// known stays so and counts in m, as in holm().
std::vector<std::optional<Interval>> simultaneous_intervals(
    std::span<const std::optional<Estimate>> arms, double alpha = 0.05);

}  // namespace lab
