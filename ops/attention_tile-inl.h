// Products of the small matrices attention is made of, register-blocked, every sum in order of k.
//
// Scores are kept transposed, a row per key and kQ queries in a row's lanes: then the softmax needs
// no horizontal sums, and of all operands only blocks of Q and dO must be transposed.
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace ops::attn {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr hn::ScalableTag<float> kF{};
using V = hn::Vec<hn::ScalableTag<float>>;
inline constexpr std::size_t kLanes = hn::MaxLanes(kF);
inline constexpr std::size_t kQ = 32;     // queries of a block
inline constexpr std::size_t kKeys = 64;  // keys of a tile
inline constexpr std::size_t kQV = kQ / kLanes;
// Registers: kRows × 2 sums, 2 of B, 1 of A.
inline constexpr std::size_t kRows = kLanes >= 16 ? 8 : 6;

constexpr std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

/// C (kM, kN vectors) = or += A · B, where A is (kM,k) with row stride lda or, if kColumns, stored
/// transposed with column stride lda.
template <std::size_t kM, std::size_t kN, bool kColumns, bool kAdd>
HWY_INLINE void micro(std::size_t k, const float* HWY_RESTRICT a, std::size_t lda,
                      const float* HWY_RESTRICT b, std::size_t ldb, float* HWY_RESTRICT c,
                      std::size_t ldc) {
  V sum[kM][kN];
  HWY_UNROLL(16)
  for (std::size_t m = 0; m < kM; ++m) {
    HWY_UNROLL(4)
    for (std::size_t n = 0; n < kN; ++n)
      sum[m][n] = kAdd ? hn::Load(kF, c + m * ldc + n * kLanes) : hn::Zero(kF);
  }
  for (std::size_t p = 0; p < k; ++p) {
    V bv[kN];
    HWY_UNROLL(4)
    for (std::size_t n = 0; n < kN; ++n) bv[n] = hn::Load(kF, b + p * ldb + n * kLanes);
    HWY_UNROLL(16)
    for (std::size_t m = 0; m < kM; ++m) {
      const V av = hn::Set(kF, kColumns ? a[p * lda + m] : a[m * lda + p]);
      HWY_UNROLL(4)
      for (std::size_t n = 0; n < kN; ++n) sum[m][n] = hn::MulAdd(av, bv[n], sum[m][n]);
    }
  }
  HWY_UNROLL(16)
  for (std::size_t m = 0; m < kM; ++m) {
    HWY_UNROLL(4)
    for (std::size_t n = 0; n < kN; ++n) hn::Store(sum[m][n], kF, c + m * ldc + n * kLanes);
  }
}

template <std::size_t kM, class F>
HWY_INLINE void last_rows(std::size_t i, std::size_t left, const F& f) {
  if constexpr (kM > 0) {
    if (left == kM) return f(i, std::integral_constant<std::size_t, kM>());
    last_rows<kM - 1>(i, left, f);
  }
}

/// f(i, number) for panels of kRows rows, then one of what is left; `number` is a constant.
template <class F>
HWY_INLINE void for_rows(std::size_t m, const F& f) {
  std::size_t i = 0;
  for (; i + kRows <= m; i += kRows) f(i, std::integral_constant<std::size_t, kRows>());
  last_rows<kRows - 1>(i, m - i, f);
}

/// f(column, vectors) for panels of two vectors, then one. REQUIRES: n is a multiple of kLanes.
template <class F>
HWY_INLINE void for_columns(std::size_t n, const F& f) {
  std::size_t c = 0;
  for (; c + 2 * kLanes <= n; c += 2 * kLanes) f(c, std::integral_constant<std::size_t, 2>());
  if (c < n) f(c, std::integral_constant<std::size_t, 1>());
}

/// A tile of keys as one block of queries sees it: all of them see keys before `diagonal`, query i
/// sees keys up to diagonal + i.
struct Tile {
  std::size_t keys, diagonal;
};

/// s (keys,kQ) = K (keys,hs) · Qᵀ (hs,kQ), for queries 16..31 alone where the others see no key.
inline void scores(const Tile& t, std::size_t hs, const float* k, std::size_t ldk, const float* qt,
                   float* s) {
  constexpr std::size_t kHalf = kQ / 2;
  const std::size_t both = std::min(t.keys, t.diagonal + kHalf);
  for_columns(kQ, [&](std::size_t c, auto vectors) {
    for_rows(c + vectors * kLanes <= kHalf || vectors * kLanes > kHalf ? both : t.keys,
             [&](std::size_t j, auto rows) {
               micro<rows, vectors, false, false>(hs, k + j * ldk, ldk, qt + c, kQ, s + j * kQ + c,
                                                  kQ);
             });
  });
  if constexpr (2 * kLanes > kHalf)
    for_rows(t.keys - both, [&](std::size_t j, auto rows) {
      constexpr std::size_t kVectors = kHalf / kLanes;
      micro<rows, kVectors, false, false>(hs, k + (both + j) * ldk, ldk, qt + kHalf, kQ,
                                          s + (both + j) * kQ + kHalf, kQ);
    });
}

/// dk (keys,hp) += s (keys,kQ) · q (kQ,hp), from the first query on that sees a row's key.
inline void add_keys(const Tile& t, std::size_t hp, const float* s, const float* q, float* dk) {
  for_columns(hp, [&](std::size_t c, auto vectors) {
    for_rows(t.keys, [&](std::size_t j, auto rows) {
      const std::size_t i = j > t.diagonal ? j - t.diagonal : 0;
      micro<rows, vectors, false, true>(kQ - i, s + j * kQ + i, kQ, q + i * hp + c, hp,
                                        dk + j * hp + c, hp);
    });
  });
}

/// dq (kQ,hp) += s (keys,kQ)ᵀ · K (keys,hp), up to the last key a row's query sees.
inline void add_queries(const Tile& t, std::size_t hp, const float* s, const float* k,
                        std::size_t ldk, float* dq) {
  for_columns(hp, [&](std::size_t c, auto vectors) {
    for_rows(kQ, [&](std::size_t i, auto rows) {
      micro<rows, vectors, true, true>(std::min(t.keys, t.diagonal + i + rows), s + i, kQ, k + c,
                                       ldk, dq + i * hp + c, hp);
    });
  });
}

/// to (hp,kQ) = from (kQ,hp)ᵀ · factor. REQUIRES: hp is a multiple of kLanes.
inline void transpose(std::size_t hp, const float* from, float factor, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t c = 0; c < hp; ++c)
    for (std::size_t i = 0; i < kQ; ++i) to[c * kQ + i] = from[i * hp + c] * factor;
#else
  // 4×4 in every 128-bit block, where block b of vector r begins as row 4b + r.
  const V f = hn::Set(kF, factor);
  for (std::size_t i = 0; i < kQ; i += kLanes)
    for (std::size_t c = 0; c < hp; c += 4) {
      V v[4];
      HWY_UNROLL(4)
      for (std::size_t r = 0; r < 4; ++r) {
        const float* at = from + (i + r) * hp + c;
        v[r] = hn::LoadDup128(kF, at + (kLanes - 4) * hp);
        HWY_UNROLL(4)
        for (std::size_t b = kLanes - 4; b > 0; b -= 4)
          v[r] = hn::IfThenElse(hn::FirstN(kF, b), hn::LoadDup128(kF, at + (b - 4) * hp), v[r]);
      }
      const V ac = hn::InterleaveLower(kF, v[0], v[2]), bd = hn::InterleaveLower(kF, v[1], v[3]);
      const V eg = hn::InterleaveUpper(kF, v[0], v[2]), fh = hn::InterleaveUpper(kF, v[1], v[3]);
      float* out = to + c * kQ + i;
      hn::Store(hn::Mul(f, hn::InterleaveLower(kF, ac, bd)), kF, out);
      hn::Store(hn::Mul(f, hn::InterleaveUpper(kF, ac, bd)), kF, out + kQ);
      hn::Store(hn::Mul(f, hn::InterleaveLower(kF, eg, fh)), kF, out + 2 * kQ);
      hn::Store(hn::Mul(f, hn::InterleaveUpper(kF, eg, fh)), kF, out + 3 * kQ);
    }
#endif
}

}  // namespace ops::attn
HWY_AFTER_NAMESPACE();
