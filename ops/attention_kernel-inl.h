// Attention of one head, forward and backward, after Dao et al., "FlashAttention: fast and
// memory-efficient exact attention with IO-awareness" (2022): the weights live in tiles only, the
// backward pass makes them again from the log-sum-exp.
//
// Logarithms are to base 2: Qᵀ carries log₂e/√hs, so P = 2^(S − lse).
#pragma once
#include <hwy/cache_control.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ops/attention_noise-inl.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops::attn {

/// Where a result goes: assigned, added to what is there, or assigned past the caches (`stream`:
/// rows must be whole cache lines; pays where the result is too large to be found in a cache
/// later).
enum class Write { kAssign, kAdd, kStream };

/// One head's rows in memory: q, k, v and their gradients T rows `ld` apart; out, dout `ldo` apart.
struct Head {
  std::size_t T = 0, hs = 0, ld = 0, ldo = 0;
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  float *out = nullptr, *lse = nullptr;  // lse (T)
  const float* dout = nullptr;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;
  Write write = Write::kAssign;  // of out, or of the gradients
  std::uint64_t index = 0;       // b·NH + h in the whole batch
};

/// Number of the mask group of keys 0..3 for the queries of block `i / kQ`.
inline std::uint64_t first_group(const Head& h, std::size_t i) {
  return (h.index * ((h.T + kQ - 1) / kQ) + i / kQ) * ((h.T + 3) / 4);
}

/// Hands out parts of the scratch memory. With a null base it only counts.
class Carver {
 public:
  explicit Carver(float* base) : base_(base) {}
  float* take(std::size_t n) {
    float* p = base_ ? base_ + used_ : nullptr;
    used_ += round_up(n, 16);
    return p;
  }
  std::size_t used() const { return used_; }

 private:
  float* base_;
  std::size_t used_ = 0;
};

struct ForwardScratch {
  Carver carve;
  float *k, *v, *q, *qt, *s, *o;
  ForwardScratch(float* base, std::size_t T, std::size_t hs) : carve(base) {
    const std::size_t hp = round_up(hs, kLanes < 4 ? 4 : kLanes);
    k = carve.take(T * hp), v = carve.take(T * hp);
    q = carve.take(kQ * hp), qt = carve.take(kQ * hp);
    s = carve.take(round_up(T, kQ) * kQ), o = carve.take(kQ * hp);
  }
};

struct BackwardScratch {
  Carver carve;
  float *k, *v, *dk, *dv, *q, *qt, *g, *gt, *dq, *s, *ds;
  BackwardScratch(float* base, std::size_t T, std::size_t hs) : carve(base) {
    const std::size_t hp = round_up(hs, kLanes < 4 ? 4 : kLanes);
    k = carve.take(T * hp), v = carve.take(T * hp);
    dk = carve.take(T * hp), dv = carve.take(T * hp);
    q = carve.take(kQ * hp), qt = carve.take(kQ * hp);
    g = carve.take(kQ * hp), gt = carve.take(kQ * hp);
    dq = carve.take(kQ * hp);
    s = carve.take(kKeys * kQ), ds = carve.take(kKeys * kQ);
  }
};

/// to (n of `rows`,hp) = from (n,hs) · factor, zeros elsewhere.
inline void pack(std::size_t n, std::size_t rows, std::size_t hs, std::size_t hp, const float* from,
                 std::size_t ld, float factor, float* to) {
  const V f = hn::Set(kF, factor);
  const std::size_t whole = hs / kLanes * kLanes;
  for (std::size_t i = 0; i < n; ++i, from += ld, to += hp) {
    for (std::size_t c = 0; c < whole; c += kLanes)
      hn::Store(hn::Mul(f, hn::LoadU(kF, from + c)), kF, to + c);
    for (std::size_t c = whole; c < hp; ++c) to[c] = c < hs ? factor * from[c] : 0;
  }
  std::fill_n(to, (rows - n) * hp, 0.0f);
}

/// to (n,hs) = or += from (n,hp) · factor.
inline void unpack(std::size_t n, std::size_t hs, std::size_t hp, const float* from, float factor,
                   Write how, float* to, std::size_t ld) {
  const V f = hn::Set(kF, factor);
  const std::size_t whole = hs / kLanes * kLanes;
  const bool add = how == Write::kAdd;
  for (std::size_t i = 0; i < n; ++i, from += hp, to += ld) {
    for (std::size_t c = 0; c < whole; c += kLanes) {
      const V x = hn::Load(kF, from + c);
      if (how == Write::kStream) {
        hn::Stream(hn::Mul(f, x), kF, to + c);
      } else {
        hn::StoreU(add ? hn::MulAdd(f, x, hn::LoadU(kF, to + c)) : hn::Mul(f, x), kF, to + c);
      }
    }
    for (std::size_t c = whole; c < hs; ++c)
      to[c] = add ? to[c] + factor * from[c] : factor * from[c];
  }
}

/// Queries of vector number v that see a key `behind` places after the block's first query.
HWY_INLINE hn::Mask<hn::ScalableTag<float>> sees(std::size_t v, std::size_t behind) {
  return hn::Ge(hn::Iota(kF, static_cast<float>(v * kLanes)),
                hn::Set(kF, static_cast<float>(behind)));
}

/// Whether no query of vector number v sees key j of the tile.
HWY_INLINE bool unseen(const Tile& t, std::size_t j, std::size_t v) {
  return j >= t.diagonal + (v + 1) * kLanes;
}

/// What queries don't see becomes −∞; top (kQ) = the largest score yet of every query.
inline void mask_and_max(const Tile& t, float* s, V* top) {
  for (std::size_t j = 0; j < t.keys; ++j)
    for (std::size_t v = 0; v < kQV; ++v) {
      float* at = s + j * kQ + v * kLanes;
      if (unseen(t, j, v)) continue;
      V x = hn::Load(kF, at);
      if (j > t.diagonal) {
        x = hn::IfThenElse(sees(v, j - t.diagonal), x,
                           hn::Set(kF, -std::numeric_limits<float>::infinity()));
        hn::Store(x, kF, at);
      }
      top[v] = hn::Max(top[v], x);
    }
}

/// s = noise ∘ 2^(s − top), sum (kQ) += 2^(s − top).
template <class Noise>
void weights(const Tile& t, std::uint64_t group, Noise& noise, float* s, const V* top, V* sum) {
  noise.load(group, t.keys);
  for (std::size_t j = 0; j < t.keys; ++j) {
    for (std::size_t v = 0; v < kQV; ++v) {
      float* at = s + j * kQ + v * kLanes;
      if (unseen(t, j, v)) {
        hn::Store(hn::Zero(kF), kF, at);
        continue;
      }
      const V e = simd::exp2(kF, hn::Sub(hn::Load(kF, at), top[v]));
      sum[v] = hn::Add(sum[v], e);
      hn::Store(noise(j, v, e), kF, at);
    }
  }
}

/// P = softmax(Q·Kᵀ/√hs), P̃ = m ∘ P, out = P̃·V.
template <class Noise>
void forward_head(const Head& h, Noise& noise, float* scratch) {
  const ForwardScratch m(scratch, h.T, h.hs);
  const std::size_t hp = round_up(h.hs, kLanes < 4 ? 4 : kLanes);
  const float scale = 1 / std::sqrt(static_cast<float>(h.hs));
  alignas(64) float lse[kQ], factor[kQ];
  for (std::size_t i0 = 0; i0 < h.T; i0 += kQ) {
    const std::size_t n = std::min(kQ, h.T - i0), keys = i0 + n;
    const auto tile = [&](std::size_t j0) { return Tile{std::min(kKeys, keys - j0), i0 - j0}; };
    pack(n, n, h.hs, hp, h.k + i0 * h.ld, h.ld, 1, m.k + i0 * hp);
    pack(n, n, h.hs, hp, h.v + i0 * h.ld, h.ld, 1, m.v + i0 * hp);
    pack(n, kQ, h.hs, hp, h.q + i0 * h.ld, h.ld, scale, m.q);
    transpose(hp, m.q, 1.44269504f, m.qt);
    V top[kQV], sum[kQV];
    for (V& x : top) x = hn::Set(kF, -std::numeric_limits<float>::infinity());
    for (V& x : sum) x = hn::Zero(kF);
    // Sᵀ = K·Qᵀ
    for (std::size_t j0 = 0; j0 < keys; j0 += kKeys) {
      scores(tile(j0), h.hs, m.k + j0 * hp, hp, m.qt, m.s + j0 * kQ);
      mask_and_max(tile(j0), m.s + j0 * kQ, top);
    }
    // out = P̃·V, the division by the sum last
    std::fill_n(m.o, kQ * hp, 0.0f);
    for (std::size_t j0 = 0; j0 < keys; j0 += kKeys) {
      weights(tile(j0), first_group(h, i0) + j0 / 4, noise, m.s + j0 * kQ, top, sum);
      add_queries(tile(j0), hp, m.s + j0 * kQ, m.v + j0 * hp, hp, m.o);
    }
    for (std::size_t v = 0; v < kQV; ++v) {
      hn::Store(hn::Add(top[v], simd::log2(kF, sum[v])), kF, lse + v * kLanes);
      hn::Store(hn::Div(hn::Set(kF, noise.scale()), sum[v]), kF, factor + v * kLanes);
    }
    std::memcpy(h.lse + i0, lse, n * sizeof(float));
    for (std::size_t i = 0; i < n; ++i)
      unpack(1, h.hs, hp, m.o + i * hp, factor[i], h.write, h.out + (i0 + i) * h.ldo, h.ldo);
  }
  if (h.write == Write::kStream) hwy::FlushStream();
}

/// s = P̃ = noise ∘ P, ds = dS = P ∘ (noise ∘ dP̃ − D), where s and ds hold S and dP̃ before.
template <class Noise>
void weight_gradients(const Tile& t, std::uint64_t group, Noise& noise, const float* lse,
                      const float* delta, float* s, float* ds) {
  noise.load(group, t.keys);
  for (std::size_t j = 0; j < t.keys; ++j) {
    for (std::size_t v = 0; v < kQV; ++v) {
      const std::size_t at = j * kQ + v * kLanes;
      if (unseen(t, j, v)) {
        hn::Store(hn::Zero(kF), kF, s + at);
        hn::Store(hn::Zero(kF), kF, ds + at);
        continue;
      }
      V p = simd::exp2(kF, hn::Sub(hn::Load(kF, s + at), hn::Load(kF, lse + v * kLanes)));
      V g = hn::Sub(noise(j, v, hn::Load(kF, ds + at)), hn::Load(kF, delta + v * kLanes));
      if (j > t.diagonal) {
        const auto seen = sees(v, j - t.diagonal);
        p = hn::IfThenElseZero(seen, p);
        g = hn::IfThenElseZero(seen, g);
      }
      hn::Store(noise(j, v, p), kF, s + at);
      hn::Store(hn::Mul(p, g), kF, ds + at);
    }
  }
}

/// D_i = Σ_c dout_ic·out_ic = Σ_j P̃_ij dP̃_ij
inline float row_dot(std::size_t n, const float* a, const float* b) {
  V sum = hn::Zero(kF);
  std::size_t c = 0;
  for (; c + kLanes <= n; c += kLanes)
    sum = hn::MulAdd(hn::LoadU(kF, a + c), hn::LoadU(kF, b + c), sum);
  float rest = 0;
  for (; c < n; ++c) rest += a[c] * b[c];
  return hn::GetLane(hn::SumOfLanes(kF, sum)) + rest;
}

/// dV = P̃ᵀ·dO, dP̃ = dO·Vᵀ, dS = P ∘ (m ∘ dP̃ − D), dQ = dS·K/√hs, dK = dSᵀ·Q/√hs.
template <class Noise>
void backward_head(const Head& h, Noise& noise, float* scratch) {
  const BackwardScratch m(scratch, h.T, h.hs);
  const std::size_t hp = round_up(h.hs, kLanes < 4 ? 4 : kLanes);
  const float scale = 1 / std::sqrt(static_cast<float>(h.hs));
  std::fill_n(m.dk, h.T * hp, 0.0f);
  std::fill_n(m.dv, h.T * hp, 0.0f);
  alignas(64) float lse[kQ], delta[kQ];
  for (std::size_t i0 = 0; i0 < h.T; i0 += kQ) {
    const std::size_t n = std::min(kQ, h.T - i0), keys = i0 + n;
    pack(n, n, h.hs, hp, h.k + i0 * h.ld, h.ld, 1, m.k + i0 * hp);
    pack(n, n, h.hs, hp, h.v + i0 * h.ld, h.ld, 1, m.v + i0 * hp);
    pack(n, kQ, h.hs, hp, h.q + i0 * h.ld, h.ld, scale, m.q);
    transpose(hp, m.q, 1.44269504f, m.qt);
    pack(n, kQ, h.hs, hp, h.dout + i0 * h.ldo, h.ldo, 1, m.g);
    transpose(hp, m.g, noise.scale(), m.gt);
    for (std::size_t i = 0; i < kQ; ++i) {  // rows past the end: P = 0
      const std::size_t row = (i0 + i) * h.ldo;
      lse[i] = i < n ? h.lse[i0 + i] : std::numeric_limits<float>::infinity();
      delta[i] = i < n ? row_dot(h.hs, h.dout + row, h.out + row) : 0;
    }
    std::fill_n(m.dq, kQ * hp, 0.0f);
    for (std::size_t j0 = 0; j0 < keys; j0 += kKeys) {
      const Tile t{std::min(kKeys, keys - j0), i0 - j0};
      const std::size_t at = j0 * hp;
      scores(t, h.hs, m.k + at, hp, m.qt, m.s);
      scores(t, h.hs, m.v + at, hp, m.gt, m.ds);
      weight_gradients(t, first_group(h, i0) + j0 / 4, noise, lse, delta, m.s, m.ds);
      add_keys(t, hp, m.s, m.g, m.dv + at);
      add_keys(t, hp, m.ds, m.q, m.dk + at);
      add_queries(t, hp, m.ds, m.k + at, hp, m.dq);
    }
    unpack(n, h.hs, hp, m.dq, scale, h.write, h.dq + i0 * h.ld, h.ld);
  }
  unpack(h.T, h.hs, hp, m.dk, 1, h.write, h.dk, h.ld);
  unpack(h.T, h.hs, hp, m.dv, noise.scale(), h.write, h.dv, h.ld);
  if (h.write == Write::kStream) hwy::FlushStream();
}

}  // namespace ops::attn
HWY_AFTER_NAMESPACE();
