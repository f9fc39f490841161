// How much longer one of two things takes, from times taken in turns.
#pragma once
#include <optional>
#include <span>

#include "lab/stats/stats.h"

namespace lab {

struct PairedRatio {
  double ratio = 1;              // of a typical pair
  std::optional<Interval> ci95;  // of it; unknown for fewer than 6 pairs
};

/// The ratio x/y of the pairs (xᵢ, yᵢ): exp of the Hodges–Lehmann estimate of log(xᵢ/yᵢ), which is
/// the median of all pairwise means, with the interval that belongs to Wilcoxon's signed-rank test
/// (Hodges & Lehmann 1963, Ann. Math. Stat. 34:598; large-sample form). Almost as tight as the mean
/// on quiet data and untouched by a few steps that something else on the machine has held up.
/// REQUIRES: equal lengths, at least one pair, positive numbers. Memory grows with their square:
/// 5000 pairs take 100 MB.
PairedRatio paired_ratio(std::span<const double> x, std::span<const double> y);

struct PairedDifference {
  double difference = 0;
  std::optional<Interval> ci95;  // of it; unknown for fewer than 6 pairs
};

/// The difference x − y of the pairs, estimated in the same way. REQUIRES: equal lengths, at least
/// one pair.
PairedDifference paired_difference(std::span<const double> x, std::span<const double> y);

}  // namespace lab
