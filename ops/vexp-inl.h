// Vectorised 2^x, e^x and log₂x for any float vector: 2^x and e^x at most 1.5 ulp from the true
// value where the result is a normal number (measured by the tests; smaller results become 0),
// log₂x within 1.5e-7 of its value or of 1, whichever is larger.
#pragma once
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace ops::simd {
namespace hn = hwy::HWY_NAMESPACE;

/// The larger of `least` and x; NaN if x is.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_least(D d, float least, V x) {
  const V l = hn::Set(d, least);
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  return hn::IfThenElse(hn::Lt(x, l), l, x);
#else
  return hn::Max(l, x);  // in this order x86 keeps a NaN
#endif
}

/// 2^x. REQUIRES: x < 127.5. NaN gives NaN, x < -126.5 gives 0.
///
/// Adding 1.5·2^23 rounds x to the integer n, whose bits then stand at the bottom of the sum; with
/// 127 added besides, shifting them up makes the float 2^n. The rest f = x − n is within ±1/2, and
/// 2^f is a polynomial, a Chebyshev fit of (2^f − 1)/f (relative error 5.5e-9).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp2(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 12582912.0f + 127.0f);
  x = at_least(d, -127.0f, x);
  const V t = hn::Add(x, magic);
  const V f = hn::Sub(x, hn::Sub(t, magic));
  const V two_n = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, t)));
  V p = hn::Set(d, 1.54531629451e-4f);
  p = hn::MulAdd(p, f, hn::Set(d, 1.33908633647e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61808255728e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55035711422e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 2.40226507606e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 6.93147188026e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  return hn::Mul(p, two_n);
}

/// e^x. REQUIRES: x < 88.3. NaN gives NaN, x < -87.6 gives 0.
///
/// As above with f = x − n·ln 2 in two parts (Cody and Waite 1980), and (e^f − 1 − f)/f² fitted.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 12582912.0f + 127.0f);
  x = at_least(d, -88.0f, x);
  const V t = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic);
  const V n = hn::Sub(t, magic);
  V f = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  f = hn::NegMulAdd(n, hn::Set(d, 1.42860682e-6f), f);
  const V two_n = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, t)));
  V p = hn::Set(d, 1.39261761199e-3f);
  p = hn::MulAdd(p, f, hn::Set(d, 8.36317307451e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 4.16665546621e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.66665770256e-1f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  return hn::Mul(p, two_n);
}

/// exp() for any x: outside [−87, 88] the value at the nearer end; NaN if x is.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V bounded_exp(D d, V x) {
  return exp(d, hn::Min(hn::Set(d, 88.0f), at_least(d, -87.0f, x)));
}

/// log₂x. REQUIRES: x is positive, normal and finite.
///
/// x = 2^n·(1 + t) with t within ±1/3; log₂(1 + t)/t is a Chebyshev fit (relative error 5e-8).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log2(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(di, x);
  const auto n = hn::ShiftRight<23>(hn::Sub(bits, hn::BitCast(di, hn::Set(d, 0.66666667f))));
  const V t = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(n))), hn::Set(d, 1.0f));
  V p = hn::Set(d, 0.1983461742f);
  p = hn::MulAdd(p, t, hn::Set(d, -0.2220923952f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.2027825121f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.2368114719f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.2886433725f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.3607881906f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.4808974711f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.7213465601f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.442695041f));
  return hn::MulAdd(p, t, hn::ConvertTo(d, n));
}

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
