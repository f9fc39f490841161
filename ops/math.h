// Elementary functions that compilers turn into SIMD: no branches, no library calls.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

namespace ops {

/// e^x to 2 ulp for x in [-87, 88]; outside, the value at the nearer end. e^x = 2^n · e^r with
/// |r| ≤ ln2/2, e^r by its degree-6 minimax polynomial (Cephes expf).
inline float fast_exp(float x) {
  x = std::min(std::max(x, -87.0F), 88.0F);
  const float shifted = x * 1.44269504F + 12582912.0F;  // 1.5·2^23: rounds to an integer
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const std::int32_t e = (std::bit_cast<std::int32_t>(shifted) - 0x4B400000 + 127) << 23;
  return p * std::bit_cast<float>(e);
}

/// 1 / (1 + e^−x)
inline float sigmoid(float x) { return 1.0F / (1.0F + fast_exp(-x)); }

}  // namespace ops
