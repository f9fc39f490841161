// RMS normalization of one row of n: y = x·r·γ, r = 1/√(mean(x²) + ε).
#pragma once
#include <cmath>

#include "ops/lane_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {

/// Writes y and returns r.
inline float rms_forward(const float* x, const float* gamma, std::int64_t n, float epsilon,
                         float* y) {
  const auto [sum] = simd::lane_sums<1>(n, [x](auto d, std::int64_t j, auto* sums) HWY_ATTR {
    const auto v = simd::hn::LoadU(d, x + j);
    sums[0] = simd::hn::MulAdd(v, v, sums[0]);
  });
  const float r = 1.0F / std::sqrt(sum / static_cast<float>(n) + epsilon);
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) y[j] = x[j] * r * gamma[j];
  return r;
}

/// With x̂ = x·r and g = dy·γ: dγ += dy·x̂, and dx = or += r·(g − x̂·mean(g·x̂)). dx may be null.
inline void rms_backward(const float* x, const float* gamma, const float* dy, std::int64_t n,
                         float r, float* dgamma, float* dx, bool add) {
  namespace hn = simd::hn;
  const auto [sum] = simd::lane_sums<1>(n, [=](auto d, std::int64_t j, auto* sums) HWY_ATTR {
    const auto xhat = hn::Mul(hn::LoadU(d, x + j), hn::Set(d, r));
    const auto dxhat = hn::Mul(hn::LoadU(d, dy + j), xhat);
    sums[0] = hn::MulAdd(dxhat, hn::LoadU(d, gamma + j), sums[0]);
    hn::StoreU(hn::Add(hn::LoadU(d, dgamma + j), dxhat), d, dgamma + j);
  });
  if (dx == nullptr) return;
  const float pull = sum / static_cast<float>(n) * r;
  if (add) {
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) dx[j] += r * (dy[j] * gamma[j] - x[j] * pull);
  } else {
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) dx[j] = r * (dy[j] * gamma[j] - x[j] * pull);
  }
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
