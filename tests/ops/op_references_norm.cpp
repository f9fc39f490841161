// References of norms, activations and scale.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/ops/op_references.h"

namespace tests {
namespace {

double square(double x) { return x * x; }

// Each channel j of x (R,C) by mean(j) and variance(j).
template <class Mean, class Variance>
Doubles normalize_channels(const Point& p, const Mean& mean, const Variance& variance) {
  const std::size_t C = at(p.shape(0).back());
  Doubles out = p.floats[0];
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t j = i % C;
    out[i] = (out[i] - mean(j)) / std::sqrt(variance(j) + 1e-5) * p.floats[1][j] +
             (p.floats.size() > 2 ? p.floats[2][j] : 0.0);
  }
  return out;
}

// n numbers from x on, in place.
void rms(double* x, const double* gamma, std::size_t n) {
  double sum = 0;
  for (std::size_t j = 0; j < n; ++j) sum += square(x[j]);
  for (std::size_t j = 0; j < n; ++j)
    x[j] *= gamma[j] / std::sqrt(sum / static_cast<double>(n) + 1e-5);
}

}  // namespace

// x (R,C), gamma (C), beta (C) → (R,C)
Doubles ref_layernorm(const Point& p) {
  const Doubles &x = p.floats[0], &gamma = p.floats[1];
  const std::size_t R = at(p.shape(0).rows()), C = at(p.shape(0).back());
  Doubles out(R * C);
  for (std::size_t r = 0; r < R; ++r) {
    double mean = 0, variance = 0;
    for (std::size_t j = 0; j < C; ++j) mean += x[r * C + j] / static_cast<double>(C);
    for (std::size_t j = 0; j < C; ++j)
      variance += (x[r * C + j] - mean) * (x[r * C + j] - mean) / static_cast<double>(C);
    for (std::size_t j = 0; j < C; ++j)
      out[r * C + j] = (x[r * C + j] - mean) / std::sqrt(variance + 1e-5) * gamma[j] +
                       (p.floats.size() > 2 ? p.floats[2][j] : 0.0);
  }
  return out;
}

// x (R,C), gamma (C) → (R,C)
Doubles ref_rmsnorm(const Point& p) {
  const std::size_t C = at(p.shape(0).back());
  Doubles out = p.floats[0];
  for (std::size_t i = 0; i < out.size(); i += C) rms(&out[i], p.floats[1].data(), C);
  return out;
}

// x (R,C), gamma (C), beta (C) → (R,C)
Doubles ref_batchnorm(const Point& p) {
  const Doubles& x = p.floats[0];
  const std::size_t R = at(p.shape(0).rows()), C = at(p.shape(0).back());
  Doubles mean(C, 0.0), variance(C, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) mean[i % C] += x[i] / static_cast<double>(R);
  for (std::size_t i = 0; i < x.size(); ++i)
    variance[i % C] += square(x[i] - mean[i % C]) / static_cast<double>(R);
  return normalize_channels(
      p, [&](std::size_t j) { return mean[j]; }, [&](std::size_t j) { return variance[j]; });
}

Doubles ref_batchnorm_running(const Point& p, double mean, double variance) {
  return normalize_channels(
      p, [&](std::size_t) { return mean; }, [&](std::size_t) { return variance; });
}

// qkv (B,T,3C), gamma_q (hs), gamma_k (hs) → (B,T,3C)
Doubles ref_qk_norm(const Point& p) {
  const std::size_t C = at(p.shape(0).back()) / 3, hs = p.floats[1].size();
  Doubles out = p.floats[0];
  for (std::size_t row = 0; row < out.size(); row += 3 * C)
    for (std::size_t h = 0; h < 2 * C; h += hs)
      rms(&out[row + h], p.floats[h < C ? 1 : 2].data(), hs);
  return out;
}

Doubles ref_gelu(const Point& p) {
  Doubles out;
  for (const double x : p.floats[0])
    out.push_back(0.5 * x *
                  (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))));
  return out;
}

Doubles ref_relu(const Point& p) {
  Doubles out = p.floats[0];
  for (double& x : out) x = std::max(x, 0.0);
  return out;
}

Doubles ref_selu(const Point& p) {
  constexpr double kLambda = 1.0507009873554805, kAlpha = 1.6732632423543772;
  Doubles out = p.floats[0];
  for (double& x : out) x = kLambda * (x > 0 ? x : kAlpha * std::expm1(x));
  return out;
}

// x (R,2H), the gate's half first → (R,H)
Doubles ref_swiglu(const Point& p) {
  const std::size_t H = at(p.shape(0).back()) / 2;
  Doubles out;
  for (std::size_t i = 0; i < p.floats[0].size(); i += 2 * H)
    for (std::size_t j = i; j < i + H; ++j) {
      const double gate = p.floats[0][j], value = p.floats[0][j + H];
      out.push_back(gate / (1 + std::exp(-gate)) * value);
    }
  return out;
}

Doubles ref_scale(const Point& p, double factor) {
  Doubles out = p.floats[0];
  for (double& x : out) x *= factor;
  return out;
}

}  // namespace tests
