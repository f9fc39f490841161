// Straight lines and small linear models, with intervals.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "lab/stats/stats.h"

namespace lab {

/// y = X·coef + noise, by ordinary least squares.
struct Ols {
  std::vector<double> coef;        // (k)
  std::vector<double> covariance;  // of coef, row-major (k, k): σ̂² (XᵀX)⁻¹
  double sigma = 0;                // σ̂ = √(residual sum of squares / dof)
  double dof = 0;                  // rows − k
};

/// By Householder's QR of X, row-major (rows, k), a column of ones among them where a constant is
/// wanted. Independent rows with equal variance: rows that share a seed are not, see ols_by_seed().
/// Error: shapes that do not fit, no more rows than columns, a value that isn't finite, a column
/// that is a combination of those before it.
Ols ols(std::span<const double> x, std::size_t k, std::span<const double> y);

/// coef[j], or the combination weights·coef (a prediction, a contrast), with its standard error.
Estimate coefficient(const Ols& fit, std::size_t j);
Estimate combination(const Ols& fit, std::span<const double> weights);

/// y = coef[0] + coef[1]·x. Slope of prediction on truth: x the truth, y the prediction.
Ols ols_line(std::span<const double> x, std::span<const double> y);

/// The same model fitted to each seed's rows alone, y row-major (seeds, rows): each coefficient's
/// sample over seeds, for t_interval() and t_test(). Whatever the rows of a seed have in common
/// (its data, its initial weights) is inside what these samples vary by. One more column than rows
/// is an Error, as many is not. REQUIRES: 2 seeds.
std::vector<Sample> ols_by_seed(std::span<const double> x, std::size_t k, std::size_t rows,
                                std::span<const double> y);

/// "Slower or worse?": the slope of the paired difference on log₂(share of the budget), seed by
/// seed; `d` row-major (seeds, shares). Differences are arm − first arm, so with a positive mean
/// difference a negative slope (nats per doubling) says that the arm catches up, and 0 that it
/// stays behind. nullopt for fewer than 2 seeds or shares. REQUIRES: shares positive, not all the
/// same.
std::optional<Sample> share_trend(std::span<const double> shares, std::span<const double> d);

}  // namespace lab
