// The ratio of the means of two paired samples.
#pragma once
#include <optional>
#include <span>

#include "lab/stats/stats.h"

namespace lab {

struct RatioOfMeans {
  double ratio = 0;
  Interval ci;
};

/// x̄/ȳ of pairs (xᵢ, yᵢ), with the interval of Fieller 1954 (J. R. Stat. Soc. B 16:175): all R for
/// which the mean of x − R·y is not told from 0 by a t test at level alpha. nullopt for fewer than
/// 2 pairs, and where ȳ itself is not told from 0: then the interval has no end. REQUIRES: equal
/// lengths, finite values, 0 < alpha < 1.
std::optional<RatioOfMeans> ratio_of_means(std::span<const double> x, std::span<const double> y,
                                           double alpha);

}  // namespace lab
