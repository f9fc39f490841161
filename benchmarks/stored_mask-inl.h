// Masks kept at 1 bit per element, bit i%8 of bits[i/8] for element i of a range: what the ops
// could do instead of making them again in backward, and how their bits are written out.
#pragma once
#include "ops/mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops::simd {

/// Bytes that hold 1 bit for each of n elements.
constexpr std::size_t keep_bytes(std::size_t n) { return (n + 7) / 8; }

/// Writes `keep` of `at`. REQUIRES: at.i % 8 == 0 or at.i % 8 == 4 right after the 4 before it, as
/// it is in for_each_keep() from a `first` divisible by 8.
template <class At>
HWY_INLINE void store_keep(const At& at, Keep keep, std::uint8_t* bits) {
  std::uint8_t byte[8] = {};
  hn::StoreMaskBits(kF32, keep, byte);
  if constexpr (kLanes < 8) {
    const auto mine = static_cast<std::uint8_t>(byte[0] & ((1u << at.n) - 1));
    std::uint8_t& out = bits[at.i / 8];
    out = at.i % 8 == 0 ? mine : static_cast<std::uint8_t>(out | mine << at.i % 8);
  } else if (at.n == kLanes) {
    std::memcpy(bits + at.i / 8, byte, kLanes / 8);
  } else {
    byte[at.n / 8] = static_cast<std::uint8_t>(byte[at.n / 8] & ((1u << at.n % 8) - 1));
    std::memcpy(bits + at.i / 8, byte, keep_bytes(at.n));
  }
}

/// f(at, keep) for n elements whose masks were stored.
template <class F>
HWY_INLINE void for_each_stored(const std::uint8_t* bits, std::size_t n, const F& f) {
  for_each(n, [&](auto at) HWY_ATTR {
    std::uint8_t byte[8] = {};
    if constexpr (kLanes < 8)
      byte[0] = static_cast<std::uint8_t>(bits[at.i / 8] >> at.i % 8);
    else
      std::memcpy(byte, bits + at.i / 8, keep_bytes(at.n));
    f(at, hn::LoadMaskBits(kF32, byte));
  });
}

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
