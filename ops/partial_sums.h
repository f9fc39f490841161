// Gradients that are sums over rows: one partial sum for each fixed-size chunk of rows, then these
// in order, so that the bits do not depend on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/op.h"

namespace ops {

/// grad (n) = or += the sum over `parts` of partial (parts,n); nothing where it is not wanted.
inline void add_partials(const engine::Grad& grad, const float* partial, std::int64_t parts,
                         std::int64_t n) {
  if (!grad) return;
  float* out = grad.f32();
  if (!grad.add) std::fill_n(out, n, 0.0F);
  for (std::int64_t p = 0; p < parts; ++p) {
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) out[j] += partial[p * n + j];
  }
}

}  // namespace ops
