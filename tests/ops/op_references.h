// What each op computes, in plain double precision: one loop nest a formula, nothing clever.
#pragma once
#include <vector>

#include "ops/noise.h"
#include "tests/ops/op_cases.h"

namespace tests {

inline std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

using Doubles = std::vector<double>;

Doubles ref_matmul(const Point& p, bool out_in);
Doubles ref_layernorm(const Point& p);
Doubles ref_embedding(const Point& p);
Doubles ref_rmsnorm(const Point& p);
Doubles ref_batchnorm(const Point& p);
Doubles ref_batchnorm_running(const Point& p, double mean, double variance);
Doubles ref_qk_norm(const Point& p);
Doubles ref_gelu(const Point& p);
Doubles ref_relu(const Point& p);
Doubles ref_selu(const Point& p);
Doubles ref_swiglu(const Point& p);
Doubles ref_scale(const Point& p, double factor);
Doubles ref_noise(const Point& p, const ops::NoiseKind& kind);
Doubles ref_residual(const Point& p, const ops::NoiseKind* kind);
Doubles ref_attention(const Point& p, std::int64_t n_head, const ops::NoiseKind* kind);
Doubles ref_cached_attention(const Point& p, std::int64_t n_head);
Doubles ref_cross_entropy(const Point& p);
Doubles ref_linear_cross_entropy(const Point& p);
Doubles ref_feature_embedding(const Point& p);
Doubles ref_gaussian_nll(const Point& p);

}  // namespace tests
