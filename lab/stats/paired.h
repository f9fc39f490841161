// What else is asked of pairs: do two arms spread alike, how large is a ratio, what do signs alone
// say?
#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "lab/stats/stats.h"

namespace lab {

/// Of pairs (xᵢ, yᵢ), for example final losses of two arms on the same seeds.
struct VarianceRatio {
  double ratio = 1;  // var x / var y
  Interval ci;       // of it
  double p = 1;      // two-sided, of "the variances are equal"
};

/// Pitman–Morgan: var x = var y exactly when x + y and x − y are uncorrelated; their correlation is
/// tested by t with n − 2 degrees of freedom (Pitman 1939, Biometrika 31:9; Morgan 1939, ibid. 13).
/// The interval for λ = σ²x/σ²y is the set of λ that the same test on x/√λ and y lets stand:
/// ratio·(K ∓ √(K² − 1)), K = 1 + 2t²(1 − r²)/(n − 2), r the correlation of x and y.
///
/// Exact for normal pairs however correlated; like all tests of variances, not for long tails
/// (one diverging seed decides): look at the losses too. nullopt for fewer than 3 pairs, values not
/// finite, or an arm that doesn't vary. REQUIRES: equal lengths.
std::optional<VarianceRatio> pitman_morgan(std::span<const double> x, std::span<const double> y,
                                           double alpha = 0.05);

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

/// More pairs than this are not enumerated: 2¹⁹ sums take a millisecond or two.
inline constexpr std::size_t kMostSignFlips = 20;

/// Exact two-sided p of "the differences are symmetric around 0": the share of the 2ⁿ choices of
/// signs for which |Σ ±dᵢ| ≥ |Σ dᵢ| (Fisher 1935, The Design of Experiments, § 21). Sums equal but
/// for rounding count as equal. The smallest p possible is 2¹⁻ⁿ: with n = 5 nothing is found at
/// 0.05. nullopt for no pair and for more than kMostSignFlips. REQUIRES: finite values.
std::optional<double> sign_flip_test(std::span<const double> differences);

}  // namespace lab
