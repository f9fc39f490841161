// Where does a mean curve first come down to 0, and how well do the seeds know it?
#pragma once
#include <optional>
#include <span>

#include "lab/stats/bootstrap.h"
#include "lab/stats/equivalent.h"

namespace lab {

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

/// The rival: seeds resampled (a seed's curve and arm stay together) through the same
/// interpolation, central 1 − α of the resampled equivalents. At 8 seeds "95 %" covers 89 %
/// (scripts/validate_statistics), the interval above 94.4 to 95.4.
std::optional<EquivalentInterval> equivalent_bootstrap(const SeedCurves& curves, int replicates,
                                                       engine::Sequence& random,
                                                       double alpha = 0.05);

}  // namespace lab
