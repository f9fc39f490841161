// Does one of two arms spread more over the same seeds?
#pragma once
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

}  // namespace lab
