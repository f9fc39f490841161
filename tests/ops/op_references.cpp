#include "tests/ops/op_references.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/attention.h"

namespace tests {
namespace {

/// Φ⁻¹((1 + u)/2), by Newton's method.
double normal_quantile(double u) {
  double x = 0;
  for (int i = 0; i < 60; ++i)
    x -= (std::erf(std::abs(x) / std::numbers::sqrt2) - std::abs(u)) /
         (std::sqrt(2 / std::numbers::pi) * std::exp(-x * x / 2));
  return std::copysign(x, u);
}

/// The draw that element i of (B,T,C), operand 0, shares.
std::uint64_t unit(const Point& p, const ops::NoiseKind& kind, std::size_t i) {
  if (kind.granularity == ops::Granularity::kWeight) return i;
  const std::size_t T = at(p.shape(0)[1]), C = at(p.shape(0)[2]);
  const std::size_t c = i % C, t = i / C % T;
  const std::uint64_t b = p.row(static_cast<std::int64_t>(i / C / T));
  switch (kind.granularity) {
    case ops::Granularity::kElement:
      return (b * T + t) * C + c;
    case ops::Granularity::kLocked:
      return b * C + c;
    case ops::Granularity::kToken:
      return b * T + t;
    case ops::Granularity::kVocabulary:
      return static_cast<std::uint64_t>(p.ints[1][i / C]);
    case ops::Granularity::kStep:
      return 0;
    default:
      return b;
  }
}

/// (m, c) of a unit. Gaussian noise has exactly the variance it is meant to have: the normal
/// quantile at 65536 midpoints has a variance of 0.99997972.
ops::Affine draw(const Point& p, const ops::NoiseKind& kind, std::uint64_t unit) {
  if (kind.points != nullptr) {
    const ops::TwoPoints points = kind.points(p.threshold() / 65536);
    return p.bits(unit) < p.threshold() ? points.kept : points.dropped;
  }
  const double u = (2.0 * p.bits(unit) - 65535) / 65536;
  const double spread = kind.spread(p.rate);
  return {1 + spread * (kind.gaussian ? normal_quantile(u) / std::sqrt(0.9999797186525822) : u), 0};
}

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

// tokens (B,T), wte (V,C), wpe (P,C) → (B,T,C)
Doubles ref_embedding(const Point& p) {
  const Doubles &wte = p.floats[1], &wpe = p.floats[2];
  const std::size_t T = at(p.shape(0)[1]), C = at(p.shape(1).back());
  const std::size_t first = p.operands.size() > 3 ? at(p.ints[3][0]) : 0;
  Doubles out;
  for (std::size_t r = 0; r < p.ints[0].size(); ++r)
    for (std::size_t j = 0; j < C; ++j)
      out.push_back(wte[at(p.ints[0][r]) * C + j] + wpe[(first + r % T) * C + j]);
  return out;
}

// out = x + (m·h + c)
Doubles ref_residual(const Point& p, const ops::NoiseKind* kind) {
  Doubles out = p.floats[1];
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (kind != nullptr) {
      const ops::Affine z = draw(p, *kind, unit(p, *kind, i));
      out[i] = z.m * out[i] + z.c;
    }
    out[i] += p.floats[0][i];
  }
  return out;
}

// out = m·x + c
Doubles ref_noise(const Point& p, const ops::NoiseKind& kind) {
  Doubles out = p.floats[0];
  for (std::size_t i = 0; i < out.size(); ++i) {
    const ops::Affine z = draw(p, kind, unit(p, kind, i));
    out[i] = z.m * out[i] + z.c;
  }
  return out;
}

// qkv (B,T,3C) → (B,T,C): out_i = Σ_{j≤i} m_ij·softmax_j(q_i·k_j/√hs)·v_j
Doubles ref_attention(const Point& p, std::int64_t n_head, const ops::NoiseKind* kind) {
  const Doubles& qkv = p.floats[0];
  const std::size_t B = at(p.shape(0)[0]), T = at(p.shape(0)[1]), C = at(p.shape(0)[2]) / 3;
  const std::size_t NH = at(n_head), hs = C / NH;
  Doubles out(B * T * C, 0.0), weights(T);
  for (std::size_t b = 0; b < B; ++b)
    for (std::size_t h = 0; h < NH; ++h)
      for (std::size_t i = 0; i < T; ++i) {
        // Element c of row t: 0 of q, 1 of k, 2 of v.
        const auto in = [&](std::size_t which, std::size_t t, std::size_t c) {
          return qkv[(b * T + t) * 3 * C + which * C + h * hs + c];
        };
        double sum = 0;
        for (std::size_t j = 0; j <= i; ++j) {
          double score = 0;
          for (std::size_t c = 0; c < hs; ++c) score += in(0, i, c) * in(1, j, c);
          weights[j] = std::exp(score / std::sqrt(static_cast<double>(hs)));
          sum += weights[j];
        }
        for (std::size_t j = 0; j <= i; ++j) {
          const std::uint64_t head = p.row(static_cast<std::int64_t>(b)) * NH + h;
          const bool of_head = kind != nullptr && kind->granularity == ops::Granularity::kHead;
          const std::uint64_t unit = of_head ? head : ops::attention_mask_element(head, T, i, j);
          const double m = kind != nullptr ? draw(p, *kind, unit).m : 1.0;
          for (std::size_t c = 0; c < hs; ++c)
            out[(b * T + i) * C + h * hs + c] += m * weights[j] / sum * in(2, j, c);
        }
      }
  return out;
}

// qkv (B,n,3C), cache (B,P,2C), length (1): attention of one sequence, of which the cache holds the
// beginning
Doubles ref_cached_attention(const Point& p, std::int64_t n_head) {
  const std::size_t B = at(p.shape(0)[0]), n = at(p.shape(0)[1]), C = at(p.shape(0)[2]) / 3;
  const std::size_t P = at(p.shape(1)[1]), length = at(p.ints[2][0]), T = length + n;
  const std::vector<Operand> whole = {
      data("qkv", {static_cast<std::int64_t>(B), static_cast<std::int64_t>(T),
                   static_cast<std::int64_t>(3 * C)})};
  Point joined{.operands = whole, .floats = {Doubles(B * T * 3 * C)}};
  for (std::size_t b = 0; b < B; ++b)
    for (std::size_t t = 0; t < T; ++t)
      for (std::size_t c = 0; c < 3 * C; ++c) {
        const bool cached = t < length;
        double& to = joined.floats[0][(b * T + t) * 3 * C + c];
        if (!cached)
          to = p.floats[0][(b * n + t - length) * 3 * C + c];
        else if (c >= C)
          to = p.floats[1][(b * P + t) * 2 * C + c - C];
      }
  const Doubles all = ref_attention(joined, n_head, nullptr);
  Doubles out;
  for (std::size_t b = 0; b < B; ++b)
    out.insert(out.end(), all.begin() + static_cast<std::ptrdiff_t>((b * T + length) * C),
               all.begin() + static_cast<std::ptrdiff_t>((b + 1) * T * C));
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

// x (R,C), w (V,C), targets (R) → (1)
Doubles ref_linear_cross_entropy(const Point& p) {
  const std::vector<Operand> logits = {activation("logits", {p.shape(0).rows(), p.shape(1)[0]}),
                                       p.operands[2]};
  const Point product{.operands = p.operands.first(2), .floats = {p.floats[0], p.floats[1]}};
  return ref_cross_entropy(
      {.operands = logits, .floats = {ref_matmul(product, true), {}}, .ints = {{}, p.ints[2]}});
}

// features (B,T,F), w (F,C), wpe (P,C) → (B,T,C)
Doubles ref_feature_embedding(const Point& p) {
  const Doubles &x = p.floats[0], &w = p.floats[1], &wpe = p.floats[2];
  const std::size_t T = at(p.shape(0)[1]), F = at(p.shape(0)[2]), C = at(p.shape(1).back());
  Doubles out;
  for (std::size_t r = 0; r < x.size() / F; ++r)
    for (std::size_t j = 0; j < C; ++j) {
      out.push_back(wpe[r % T * C + j]);
      for (std::size_t f = 0; f < F; ++f) out.back() += x[r * F + f] * w[f * C + j];
    }
  return out;
}

// x (R,2), targets (R) → (1)
Doubles ref_gaussian_nll(const Point& p) {
  double loss = 0, rows = 0;
  for (std::size_t r = 0; r < p.floats[1].size(); ++r) {
    const double y = p.floats[1][r], mu = p.floats[0][2 * r];
    if (std::isnan(y)) continue;
    const double sigma = std::log(1 + std::exp(p.floats[0][2 * r + 1])) + 1e-3;
    loss += 0.5 * std::log(2 * M_PI * sigma * sigma) + (y - mu) * (y - mu) / (2 * sigma * sigma);
    rows += 1;
  }
  return {loss / std::max(rows, 1.0)};
}

}  // namespace tests
