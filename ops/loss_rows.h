// What the losses over rows of logits share.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ops/math.h"

namespace ops {

inline constexpr std::int64_t kLossRowChunk = 16;  // rows a thread takes at a time

/// log Σ_j exp(row[j])
inline float log_sum_exp(const float* row, std::int64_t n) {
  float top = row[0], sum = 0;
#pragma omp simd reduction(max : top)
  for (std::int64_t j = 0; j < n; ++j) top = std::max(top, row[j]);
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += fast_exp(row[j] - top);
  return top + std::log(sum);
}

/// Rows that count, those with target ≥ 0; 1 where there is none, so that means can be formed.
inline std::int64_t counted_rows(const std::int32_t* targets, std::int64_t rows) {
  const auto n = std::count_if(targets, targets + rows, [](std::int32_t t) { return t >= 0; });
  return std::max<std::int64_t>(n, 1);
}

}  // namespace ops
