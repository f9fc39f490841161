// What the losses over rows of logits share.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ops/lane_sums-inl.h"
#include "ops/mask-inl.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {

inline constexpr std::int64_t kLossRowChunk = 16;  // rows a thread takes at a time

/// f(at) for the n elements of a row, see simd::for_each().
template <class F>
HWY_INLINE void for_row(std::int64_t n, const F& f) {
  simd::for_each(static_cast<std::size_t>(n), f);
}

/// log Σ_j exp(row[j])
inline float log_sum_exp(const float* row, std::int64_t n) {
  namespace hn = simd::hn;
  const float top = *std::max_element(row, row + n);
  const auto [sum] = simd::lane_sums<1>(n, [=](auto d, std::int64_t j, auto* sums) HWY_ATTR {
    const auto e = simd::bounded_exp(d, hn::Sub(hn::LoadU(d, row + j), hn::Set(d, top)));
    sums[0] = hn::Add(sums[0], e);
  });
  return top + std::log(sum);
}

/// d[j] += factor·exp(row[j] − lse)
inline void add_softmax(const float* row, float lse, float factor, std::int64_t n, float* d) {
  for_row(n, [=](auto at) HWY_ATTR {
    const auto p =
        simd::bounded_exp(simd::kF32, simd::hn::Sub(at.load(row), simd::hn::Set(simd::kF32, lse)));
    at.store(simd::hn::MulAdd(simd::hn::Set(simd::kF32, factor), p, at.load(d)), d);
  });
}

/// Rows that count, those with target ≥ 0; 1 if there is none, so that means can be formed.
inline std::int64_t counted_rows(const std::int32_t* targets, std::int64_t rows) {
  const auto n = std::count_if(targets, targets + rows, [](std::int32_t t) { return t >= 0; });
  return std::max<std::int64_t>(n, 1);
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
