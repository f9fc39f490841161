// One loop for every noise: for_each_noise() hands its body the (m, c) of each vector as an object
// `noise`, noise(x) = m·x + c and noise.scale(d) = m·d, so that a fusion is a lambda:
//
//   for_each_noise(noise, rows, begin, end, [&](auto at, const auto& z) {
//     at.store(z(gelu(at.load(x))), out);                            // y = m·gelu(x) + c
//   });
//
// `at` counts from element 0 of row 0 of the caller's tensors.
#pragma once
#include "ops/mask-inl.h"
#include "ops/noise.h"
// After ops/simd.h:
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace ops::simd {

/// y = x
struct Same {
  HWY_INLINE VF operator()(VF x) const { return x; }
  HWY_INLINE VF scale(VF d) const { return d; }
};
/// y = m·x where kept, else 0
struct Drop {
  Keep keep;
  VF m;
  HWY_INLINE VF operator()(VF x) const { return hn::IfThenElseZero(keep, hn::Mul(m, x)); }
  HWY_INLINE VF scale(VF d) const { return (*this)(d); }
};
/// y = m·x
struct Scale {
  VF m;
  HWY_INLINE VF operator()(VF x) const { return hn::Mul(m, x); }
  HWY_INLINE VF scale(VF d) const { return hn::Mul(m, d); }
};
/// y = m·x + c
struct ScaleShift {
  VF m, c;
  HWY_INLINE VF operator()(VF x) const { return hn::MulAdd(m, x, c); }
  HWY_INLINE VF scale(VF d) const { return hn::Mul(m, d); }
};

/// 65536 equally spaced values in (−1, 1), symmetric about 0, from 16 random bits.
HWY_INLINE VF centred(hn::Vec<I32> bits) {
  const VF odd = hn::ConvertTo(kF32, hn::Sub(hn::Add(bits, bits), hn::Set(kI32, 65535)));
  return hn::Mul(odd, hn::Set(kF32, 0x1p-16f));
}

/// Φ⁻¹((1 + u)/2) = √2·erf⁻¹(u), |u| < 1, by the single-precision polynomials of Giles,
/// "Approximating the erfinv function" (GPU Computing Gems 2, 2011); relative error 6e-7.
HWY_INLINE VF normal_quantile(VF u) {
  constexpr float kCentre[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                               -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                               -0.00417768164f,  0.246640727f,    1.50140941f};
  constexpr float kTail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                             -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                             0.00943887047f,   1.00167406f,     2.83297682f};
  const VF one = hn::Set(kF32, 1.0f);
  const VF w = hn::Neg(hn::Log(kF32, hn::Mul(hn::Sub(one, u), hn::Add(one, u))));
  const auto tail = hn::Ge(w, hn::Set(kF32, 5.0f));
  const VF t = hn::IfThenElse(tail, hn::Sub(hn::Sqrt(w), hn::Set(kF32, 3.0f)),
                              hn::Sub(w, hn::Set(kF32, 2.5f)));
  VF p = hn::IfThenElse(tail, hn::Set(kF32, kTail[0]), hn::Set(kF32, kCentre[0]));
  for (std::size_t i = 1; i < std::size(kTail); ++i)
    p = hn::MulAdd(p, t, hn::IfThenElse(tail, hn::Set(kF32, kTail[i]), hn::Set(kF32, kCentre[i])));
  return hn::Mul(hn::Mul(p, u), hn::Set(kF32, 1.41421356f));
}

/// m of a kind with continuous values: 1 + spread·(normal or uniform in (−1, 1)).
HWY_INLINE VF continuous_m(const Noise& noise, hn::Vec<I32> bits) {
  const VF u = centred(bits);
  return hn::MulAdd(hn::Set(kF32, noise.spread), noise.gaussian ? normal_quantile(u) : u,
                    hn::Set(kF32, 1.0f));
}

/// f(at, z) for n elements that are units `first`, `first` + 1, ...
template <class F>
void for_each_unit(const Noise& noise, std::uint64_t first, std::size_t n, const F& f) {
  if (!noise.two_points)
    return for_each_bits(noise.stream, first, n, [&](auto at, hn::Vec<I32> bits) HWY_ATTR {
      f(at, Scale{continuous_m(noise, bits)});
    });
  const VF m1 = hn::Set(kF32, noise.kept_m), m0 = hn::Set(kF32, noise.dropped_m);
  if (noise.dropped_m == 0 && !noise.shifts())
    return for_each_keep(noise.stream, first, n, noise.threshold, [&](auto at, Keep keep) HWY_ATTR {
      f(at, Drop{keep, m1});
    });
  const VF c1 = hn::Set(kF32, noise.kept_c), c0 = hn::Set(kF32, noise.dropped_c);
  for_each_keep(noise.stream, first, n, noise.threshold, [&](auto at, Keep keep) HWY_ATTR {
    f(at, ScaleShift{hn::IfThenElse(keep, m1, m0), hn::IfThenElse(keep, c1, c0)});
  });
}

/// m[i], c[i] of units first + i.
inline void unit_values(const Noise& noise, std::uint64_t first, std::size_t n, float* m,
                        float* c) {
  for_each_unit(noise, first, n, [&](auto at, const auto& z) HWY_ATTR {
    at.store(z.scale(hn::Set(kF32, 1.0f)), m);
    at.store(z(hn::Zero(kF32)), c);
  });
}

/// Units that are whole rows.
template <class F>
void for_each_row_noise(const Noise& noise, const BatchRows& r, std::size_t begin, std::size_t end,
                        const F& f) {
  constexpr std::size_t kAhead = kGroup;  // rows of one draw: tokens are numbered one by one
  alignas(HWY_MAX_BYTES) float m[kAhead], c[kAhead];
  const bool tokens = noise.granularity == Granularity::kToken;
  std::uint64_t drawn = ~std::uint64_t{0};
  for (std::size_t row = begin; row < end; ++row) {
    const std::size_t at_row = tokens ? (row - begin) % kAhead : 0;
    const std::uint64_t unit = tokens                                      ? r.first + row
                               : noise.granularity == Granularity::kSample ? (r.first + row) / r.T
                               : noise.granularity == Granularity::kStep
                                   ? 0
                                   : static_cast<std::uint32_t>(r.ids[row]);
    if (tokens ? at_row == 0 : unit != drawn)
      unit_values(noise, unit, tokens ? std::min(kAhead, end - row) : 1, m, c);
    drawn = unit;
    const VF mv = hn::Set(kF32, m[at_row]), cv = hn::Set(kF32, c[at_row]);
    if (noise.shifts())
      for_each(r.C, [&](auto at) HWY_ATTR { f(at.plus(row * r.C), ScaleShift{mv, cv}); });
    else
      for_each(r.C, [&](auto at) HWY_ATTR { f(at.plus(row * r.C), Scale{mv}); });
  }
}

/// Units that are columns of a sample, or C/heads of them: drawn once for the rows that share them.
template <class F>
void for_each_column_noise(const Noise& noise, const BatchRows& r, std::size_t begin,
                           std::size_t end, const F& f) {
  constexpr std::size_t kColumns = 512;
  alignas(HWY_MAX_BYTES) float m[kColumns], c[kColumns];
  const std::size_t units = noise.granularity == Granularity::kHead ? r.heads : r.C;
  const std::size_t width = r.C / units;
  for (std::size_t row = begin, next; row < end; row = next) {
    const std::uint64_t b = (r.first + row) / r.T;
    next = static_cast<std::size_t>(std::min<std::uint64_t>(end, (b + 1) * r.T - r.first));
    for (std::size_t column = 0; column < r.C; column += kColumns) {
      const std::size_t n = std::min(kColumns, r.C - column);
      if (width == 1) {
        unit_values(noise, b * units + column, n, m, c);
      } else {
        for (std::size_t j = 0; j < n; ++j) {
          if (j > 0 && (column + j) % width != 0)
            m[j] = m[j - 1], c[j] = c[j - 1];
          else
            unit_values(noise, b * units + (column + j) / width, 1, m + j, c + j);
        }
      }
      for (std::size_t same = row; same < next; ++same)
        for_each(n, [&](auto at) HWY_ATTR {
          if (noise.shifts())
            f(at.plus(same * r.C + column), ScaleShift{at.load(m), at.load(c)});
          else
            f(at.plus(same * r.C + column), Scale{at.load(m)});
        });
    }
  }
}

/// f(at, z) for rows [begin, end).
template <class F>
void for_each_noise(const Noise& noise, const BatchRows& r, std::size_t begin, std::size_t end,
                    const F& f) {
  const std::size_t n = (end - begin) * r.C, base = begin * r.C;
  const auto shifted = [&](auto at, const auto& z) HWY_ATTR { f(at.plus(base), z); };
  if (noise.identity()) return for_each(n, [&](auto at) HWY_ATTR { shifted(at, Same{}); });
  switch (noise.granularity) {
    case Granularity::kElement:
    case Granularity::kWeight:
      return for_each_unit(noise, (r.first + begin) * r.C, n, shifted);
    case Granularity::kLocked:
    case Granularity::kHead:
      return for_each_column_noise(noise, r, begin, end, f);
    case Granularity::kToken:
    case Granularity::kSample:
    case Granularity::kVocabulary:
    case Granularity::kStep:
      return for_each_row_noise(noise, r, begin, end, f);
  }
}

/// out = m·act(x) + c; act maps a vector to a vector
template <class Act>
void noise_activation(const Noise& noise, const BatchRows& r, std::size_t begin, std::size_t end,
                      const float* x, float* out, const Act& act) {
  for_each_noise(noise, r, begin, end,
                 [&](auto at, const auto& z) HWY_ATTR { at.store(z(act(at.load(x))), out); });
}
/// dx = act'(x, m·dout), or dx += it; slope maps (x, dy) to dy·act'(x)
template <class Slope>
void noise_activation_backward(const Noise& noise, const BatchRows& r, std::size_t begin,
                               std::size_t end, const float* x, const float* dout, float* dx,
                               bool add, const Slope& slope) {
  for_each_noise(noise, r, begin, end, [&](auto at, const auto& z) HWY_ATTR {
    const VF d = slope(at.load(x), z.scale(at.load(dout)));
    at.store(add ? hn::Add(at.load(dx), d) : d, dx);
  });
}

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
