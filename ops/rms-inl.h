// RMS normalization of one row of n: y = x·r·γ, r = 1/√(mean(x²) + ε).
#pragma once
#include <cmath>
#include <cstdint>

namespace ops {

/// Writes y and returns r.
inline float rms_forward(const float* x, const float* gamma, std::int64_t n, float epsilon,
                         float* y) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += x[j] * x[j];
  const float r = 1.0F / std::sqrt(sum / static_cast<float>(n) + epsilon);
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) y[j] = x[j] * r * gamma[j];
  return r;
}

/// With x̂ = x·r and g = dy·γ: dγ += dy·x̂, and dx = or += r·(g − x̂·mean(g·x̂)). dx may be null.
inline void rms_backward(const float* x, const float* gamma, const float* dy, std::int64_t n,
                         float r, float* dgamma, float* dx, bool add) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) {
    const float dxhat = dy[j] * (x[j] * r);
    sum += dxhat * gamma[j];
    dgamma[j] += dxhat;
  }
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
