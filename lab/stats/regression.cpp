#include "lab/stats/regression.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace lab {
namespace {

using Eigen::MatrixXd, Eigen::VectorXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// R (k,k) and Qᵀy of X = QR; behind the first k of Qᵀy stands the residual.
struct Factored {
  MatrixXd r;
  VectorXd y;
  VectorXd coef() const { return r.triangularView<Eigen::Upper>().solve(y.head(r.cols())); }
};

Factored factor(std::span<const double> x, std::size_t columns, std::span<const double> y) {
  const auto n = std::ssize(y), k = static_cast<std::ptrdiff_t>(columns);
  base::require(k > 0 && std::ssize(x) == n * k, "[ols] ", x.size(), " numbers are not ", n,
                " rows of ", k, " columns");
  base::require(n >= k, "[ols] ", n, " rows do not determine ", k, " coefficients");
  const MatrixXd design = Eigen::Map<const RowMajor>(x.data(), n, k);
  const Eigen::Map<const VectorXd> target(y.data(), n);
  base::require(design.allFinite() && target.allFinite(), "[ols] a value is not finite");
  const Eigen::HouseholderQR<MatrixXd> qr(design);
  for (std::ptrdiff_t j = 0; j < k; ++j)
    base::require(std::abs(qr.matrixQR()(j, j)) > 1e-10 * design.col(j).norm(), "[ols] column ", j,
                  " is 0 or a combination of those before it: leave it out");
  return {qr.matrixQR().topRows(k), qr.householderQ().adjoint() * target};
}

}  // namespace

Ols ols(std::span<const double> x, std::size_t k, std::span<const double> y) {
  base::require(y.size() > k, "[ols] ", y.size(), " rows leave no residual for ", k,
                " coefficients");
  const Factored f = factor(x, k, y);
  const auto n = f.r.cols(), dof = f.y.size() - n;
  Ols fit;
  const VectorXd coef = f.coef();
  fit.coef.assign(coef.begin(), coef.end());
  fit.dof = static_cast<double>(dof);
  fit.sigma = f.y.tail(dof).norm() / std::sqrt(fit.dof);
  const MatrixXd inverse = f.r.triangularView<Eigen::Upper>().solve(MatrixXd::Identity(n, n));
  const MatrixXd covariance = fit.sigma * fit.sigma * inverse * inverse.transpose();
  fit.covariance.assign(covariance.data(), covariance.data() + covariance.size());
  return fit;
}

Estimate combination(const Ols& fit, std::span<const double> weights) {
  const std::size_t k = fit.coef.size();
  base::require(weights.size() == k, "[ols] ", weights.size(), " weights for ", k, " coefficients");
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < k; ++i) {
    mean += weights[i] * fit.coef[i];
    for (std::size_t j = 0; j < k; ++j)
      variance += weights[i] * weights[j] * fit.covariance[i * k + j];
  }
  return {mean, std::sqrt(std::max(variance, 0.0)), fit.dof};
}

Estimate coefficient(const Ols& fit, std::size_t j) {
  const std::size_t k = fit.coef.size();
  base::require(j < k, "[ols] coefficient ", j, " of ", k);
  return {fit.coef[j], std::sqrt(fit.covariance[j * k + j]), fit.dof};
}

Ols ols_line(std::span<const double> x, std::span<const double> y) {
  std::vector<double> design;
  for (const double v : x) design.insert(design.end(), {1, v});
  return ols(design, 2, y);
}

std::vector<Sample> ols_by_seed(std::span<const double> x, std::size_t k, std::size_t rows,
                                std::span<const double> y) {
  base::require(rows > 0 && y.size() % rows == 0 && y.size() >= 2 * rows, "[ols] ", y.size(),
                " values are not 2 or more seeds of ", rows, " rows");
  std::vector<std::vector<double>> per_coefficient(k);
  for (std::size_t start = 0; start < y.size(); start += rows) {
    const Factored f = factor(x, k, y.subspan(start, rows));
    const VectorXd coef = f.coef();
    for (std::size_t j = 0; j < k; ++j)
      per_coefficient[j].push_back(coef[static_cast<std::ptrdiff_t>(j)]);
  }
  std::vector<Sample> out;
  for (const auto& values : per_coefficient) out.push_back(summarize(values).value());
  return out;
}

std::optional<Sample> share_trend(std::span<const double> shares, std::span<const double> d) {
  if (shares.size() < 2 || d.size() < 2 * shares.size()) return std::nullopt;
  std::vector<double> design;
  for (const double share : shares) {
    base::require(share > 0, "[trend] share ", share, " must be above 0");
    design.insert(design.end(), {1, std::log2(share)});
  }
  return ols_by_seed(design, 2, shares.size(), d)[1];
}

}  // namespace lab
