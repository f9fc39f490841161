#include "tests/op_references.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tests {
namespace {
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
}  // namespace

// x (R,C), w (C,OC) or (OC,C), bias (OC) → (R,OC)
Doubles ref_matmul(const Point& p, bool out_in) {
  const Doubles &x = p.floats[0], &w = p.floats[1];
  const std::size_t R = at(p.shape(0).rows()), C = at(p.shape(0).back());
  const std::size_t OC = w.size() / C;
  Doubles out(R * OC, 0.0);
  for (std::size_t r = 0; r < R; ++r) {
    if (p.floats.size() > 2) std::copy(p.floats[2].begin(), p.floats[2].end(), &out[r * OC]);
    if (out_in) {
      for (std::size_t o = 0; o < OC; ++o)
        for (std::size_t j = 0; j < C; ++j) out[r * OC + o] += x[r * C + j] * w[o * C + j];
    } else {
      for (std::size_t j = 0; j < C; ++j)
        for (std::size_t o = 0; o < OC; ++o) out[r * OC + o] += x[r * C + j] * w[j * OC + o];
    }
  }
  return out;
}

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

// tokens (B,T), wte (V,C), wpe (P,C) → (B,T,C)
Doubles ref_embedding(const Point& p) {
  const Doubles &wte = p.floats[1], &wpe = p.floats[2];
  const std::size_t T = at(p.shape(0)[1]), C = at(p.shape(1).back());
  Doubles out;
  for (std::size_t r = 0; r < p.ints[0].size(); ++r)
    for (std::size_t j = 0; j < C; ++j)
      out.push_back(wte[at(p.ints[0][r]) * C + j] + wpe[r % T * C + j]);
  return out;
}

Doubles ref_gelu(const Point& p) {
  Doubles out;
  for (const double x : p.floats[0])
    out.push_back(0.5 * x *
                  (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))));
  return out;
}

Doubles ref_add(const Point& p) {
  Doubles out;
  for (std::size_t i = 0; i < p.floats[0].size(); ++i)
    out.push_back(p.floats[0][i] + p.floats[1][i]);
  return out;
}

// logits (R,V), targets (R) → (1)
Doubles ref_cross_entropy(const Point& p) {
  const Doubles& logits = p.floats[0];
  const std::size_t V = at(p.shape(0).back());
  double loss = 0, rows = 0;
  for (std::size_t r = 0; r < p.ints[1].size(); ++r) {
    if (p.ints[1][r] < 0) continue;
    double sum = 0;
    for (std::size_t j = 0; j < V; ++j) sum += std::exp(logits[r * V + j]);
    loss += std::log(sum) - logits[r * V + at(p.ints[1][r])];
    rows += 1;
  }
  return {loss / std::max(rows, 1.0)};
}

}  // namespace tests
