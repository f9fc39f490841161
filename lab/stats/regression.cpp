#include "lab/stats/regression.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace lab {
namespace {

/// R (upper triangle) and Qᵀy of X = QR, column-major; y's tail holds the residual in Q's frame.
struct Factored {
  std::size_t rows, k;
  std::vector<double> a, y;
  double at(std::size_t i, std::size_t j) const { return a[j * rows + i]; }
};

Factored factor(std::span<const double> x, std::size_t k, std::span<const double> y) {
  const std::size_t n = y.size();
  base::require(k > 0 && x.size() == n * k, "[ols] ", x.size(), " numbers are not ", n, " rows of ",
                k, " columns");
  base::require(n >= k, "[ols] ", n, " rows do not determine ", k, " coefficients");
  Factored f{n, k, std::vector<double>(n * k), {y.begin(), y.end()}};
  bool finite = std::all_of(y.begin(), y.end(), [](double v) { return std::isfinite(v); });
  for (std::size_t i = 0; i < n * k; ++i) {
    f.a[i % k * n + i / k] = x[i];
    finite = finite && std::isfinite(x[i]);
  }
  base::require(finite, "[ols] a value is not finite");
  const auto norm = [](const double* v, std::size_t count) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += v[i] * v[i];
    return std::sqrt(sum);
  };
  for (std::size_t j = 0; j < k; ++j) {
    double* v = f.a.data() + j * n;
    const double whole = norm(v, n), below = norm(v + j, n - j);
    base::require(below > 1e-10 * whole, "[ols] column ", j,
                  " is 0 or a combination of those before it: leave it out");
    const double diagonal = v[j] > 0 ? -below : below;
    std::vector<double> h(v + j, v + n);  // reflects column j onto its diagonal
    h[0] -= diagonal;
    const double h2 = norm(h.data(), h.size()) * norm(h.data(), h.size());
    const auto reflect = [&](double* c) {
      double dot = 0;
      for (std::size_t i = 0; i < h.size(); ++i) dot += h[i] * c[j + i];
      for (std::size_t i = 0; i < h.size(); ++i) c[j + i] -= 2 * dot / h2 * h[i];
    };
    for (std::size_t c = j; c < k; ++c) reflect(f.a.data() + c * n);
    reflect(f.y.data());
  }
  return f;
}

/// R⁻¹·b for the first k of b.
std::vector<double> back_substitute(const Factored& f, std::span<const double> b) {
  std::vector<double> x(f.k);
  for (std::size_t i = f.k; i-- > 0;) {
    double sum = b[i];
    for (std::size_t j = i + 1; j < f.k; ++j) sum -= f.at(i, j) * x[j];
    x[i] = sum / f.at(i, i);
  }
  return x;
}

}  // namespace

Ols ols(std::span<const double> x, std::size_t k, std::span<const double> y) {
  base::require(y.size() > k, "[ols] ", y.size(), " rows leave no residual for ", k,
                " coefficients");
  const Factored f = factor(x, k, y);
  Ols fit;
  fit.coef = back_substitute(f, f.y);
  double rss = 0;
  for (std::size_t i = k; i < f.rows; ++i) rss += f.y[i] * f.y[i];
  fit.dof = static_cast<double>(f.rows - k);
  fit.sigma = std::sqrt(rss / fit.dof);
  // (XᵀX)⁻¹ = R⁻¹R⁻ᵀ: the sum over the columns of R⁻¹ of their outer products.
  fit.covariance.assign(k * k, 0);
  std::vector<double> unit(k, 0);
  for (std::size_t c = 0; c < k; ++c) {
    unit[c] = 1;
    const std::vector<double> column = back_substitute(f, unit);
    unit[c] = 0;
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < k; ++j)
        fit.covariance[i * k + j] += fit.sigma * fit.sigma * column[i] * column[j];
  }
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
    const std::vector<double> coef = back_substitute(f, f.y);
    for (std::size_t j = 0; j < k; ++j) per_coefficient[j].push_back(coef[j]);
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
