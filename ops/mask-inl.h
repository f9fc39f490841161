// Loops whose body gets the mask in registers: dropout, bias + dropout + residual, gelu + dropout
// are all for_each_keep() with another lambda.
//
//   for_each_keep(stream, first, n, threshold, [&](auto at, Keep keep) {
//     at.store(hn::IfThenElseZero(keep, hn::Mul(at.load(x), scale)), out);
//   });
//
// `at` names up to kLanes elements, counted from `first`; element first + i is x[i] and out[i]. The
// result for an element does not depend on where a range begins or ends.
#pragma once
#include <cstring>

#include "ops/mask_philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops::simd {

/// How far ahead to prefetch, in elements: where a tensor doesn't fit in the caches, the many
/// instructions between two loads keep the next ones out of the processor's sight.
inline constexpr std::size_t kPrefetch = 512;

/// kLanes elements in the middle of a range.
struct Whole {
  std::size_t i;
  static constexpr std::size_t n = kLanes;
  HWY_INLINE Whole plus(std::size_t base) const { return {i + base}; }
  HWY_INLINE VF load(const float* p) const {
    hwy::Prefetch(p + i + kPrefetch);  // may lie past the end: a prefetch never faults
    return hn::LoadU(kF32, p + i);
  }
  HWY_INLINE void store(VF v, float* p) const { hn::StoreU(v, kF32, p + i); }
  /// A store that bypasses the caches. REQUIRES: p + i is aligned to a vector.
  HWY_INLINE void stream(VF v, float* p) const { hn::Stream(v, kF32, p + i); }
};

/// n <= kLanes elements near the ends of a range: touches no memory outside it.
struct Edge {
  std::size_t i, n;
  HWY_INLINE Edge plus(std::size_t base) const { return {i + base, n}; }
  HWY_INLINE VF load(const float* p) const {
    if (kLanes == 1 || n == kLanes) return hn::LoadU(kF32, p + i);
    alignas(HWY_MAX_BYTES) float lane[kLanes] = {};
    std::memcpy(lane, p + i, n * sizeof(float));
    return hn::Load(kF32, lane);
  }
  HWY_INLINE void store(VF v, float* p) const {
    if (kLanes == 1 || n == kLanes) return hn::StoreU(v, kF32, p + i);
    alignas(HWY_MAX_BYTES) float lane[kLanes];
    hn::Store(v, kF32, lane);
    std::memcpy(p + i, lane, n * sizeof(float));
  }
  HWY_INLINE void stream(VF v, float* p) const { store(v, p); }
};

/// f(at) for every element of a range, at = Whole or Edge.
template <class F>
HWY_INLINE void for_each(std::size_t n, const F& f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(Whole{i});
  if (i < n) f(Edge{i, n - i});
}

/// Splits [first, first + n) at groups: whole(group, i) for those in it as a whole, where i counts
/// from `first`, and edge(group, from, i, count) for elements from.. of the ones at the ends.
template <class WholeGroup, class EdgeGroup>
HWY_INLINE void for_each_group(std::uint64_t first, std::size_t n, const WholeGroup& whole,
                               const EdgeGroup& edge) {
  std::uint64_t group = first / kGroup;
  std::size_t i = 0;
  if (const std::size_t from = first % kGroup; from != 0 || n < kGroup) {
    i = std::min(n, kGroup - from);
    if (n > 0) edge(group++, from, std::size_t{0}, i);
  }
  for (; i + kGroup <= n; i += kGroup) whole(group++, i);
  if (i < n) edge(group, std::size_t{0}, i, n - i);
}

/// out[j] = the bits of element j of a group.
template <int kRounds>
HWY_INLINE void group_bits(Philox<kRounds>& philox, std::uint64_t group,
                           std::uint16_t* HWY_RESTRICT out) {
  philox.template group<LaneOrder::kInOrder>(
      group, [out](std::size_t at, V16 bits) HWY_ATTR { hn::StoreU(bits, k16, out + at); });
}

/// f(at, bits) for n elements from `first`: the 16 random bits of each in a 32-bit lane.
template <int kRounds = engine::kPhiloxRounds, class F>
void for_each_bits(const MaskStream& stream, std::uint64_t first, std::size_t n, const F& f) {
  Philox<kRounds> philox(stream);
  std::uint16_t bits[kGroup + kLanes] = {};
  const auto edge = [&](std::uint64_t group, std::size_t from, std::size_t i, std::size_t count)
                        HWY_ATTR {
                          group_bits(philox, group, bits);
                          for (std::size_t j = 0; j < count; j += kLanes)
                            f(Edge{i + j, std::min(kLanes, count - j)},
                              hn::PromoteTo(kI32, hn::LoadU(kHalf16, bits + from + j)));
                        };
  const auto whole = [&](std::uint64_t group, std::size_t i) HWY_ATTR {
    group_bits(philox, group, bits);
    for (std::size_t j = 0; j < kGroup; j += kLanes)
      f(Whole{i + j}, hn::PromoteTo(kI32, hn::LoadU(kHalf16, bits + j)));
  };
  for_each_group(first, n, whole, edge);
}

/// The two f32 masks of a vector of 16-bit values, `bits < threshold`.
struct KeepPair {
  Keep lower, upper;
};
HWY_INLINE KeepPair keep_pair(V16 bits, V16 threshold) {
#if HWY_TARGET == HWY_SCALAR
  const Keep keep = hn::MaskFromVec(hn::Set(kF32, 0.0f));
  (void)bits, (void)threshold;
  return {keep, keep};
#else
  const auto below = hn::Lt(bits, threshold);
  if constexpr (kMaskRegisters) {
    // Through integers of just the size, which compilers turn into a shift of the mask register.
    std::uint32_t both;
    hn::StoreMaskBits(k16, below, reinterpret_cast<std::uint8_t*>(&both));
    const std::uint16_t half[2] = {static_cast<std::uint16_t>(both),
                                   static_cast<std::uint16_t>(both >> 16)};
    return {hn::LoadMaskBits(kF32, reinterpret_cast<const std::uint8_t*>(&half[0])),
            hn::LoadMaskBits(kF32, reinterpret_cast<const std::uint8_t*>(&half[1]))};
  } else {
    const auto wide = [](V16 v) HWY_ATTR {
      return hn::RebindMask(kF32, hn::MaskFromVec(hn::BitCast(kI32, v)));
    };
    const V16 v = hn::VecFromMask(k16, below);
    return {wide(hn::InterleaveLower(k16, v, v)), wide(hn::InterleaveUpper(k16, v, v))};
  }
#endif
}

/// f(at, keep) for n elements from `first`; keep: bits < threshold.
template <int kRounds = engine::kPhiloxRounds, class F>
void for_each_keep(const MaskStream& stream, std::uint64_t first, std::size_t n,
                   std::uint32_t threshold, const F& f) {
  if (threshold >= kAllKept) {
    const Keep all = hn::Eq(hn::Zero(kF32), hn::Zero(kF32));
    for (std::size_t i = 0; i < n; i += kLanes) f(Edge{i, std::min(kLanes, n - i)}, all);
    return;
  }
  Philox<kRounds> philox(stream);
  const auto below = hn::Set(kI32, static_cast<std::int32_t>(threshold));
  const auto edge = [&](std::uint64_t group, std::size_t from, std::size_t i,
                        std::size_t count) HWY_ATTR {
    std::uint16_t bits[kGroup + kLanes] = {};
    group_bits(philox, group, bits);
    for (std::size_t j = 0; j < count; j += kLanes) {
      const auto b = hn::PromoteTo(kI32, hn::LoadU(kHalf16, bits + from + j));
      f(Edge{i + j, std::min(kLanes, count - j)}, hn::RebindMask(kF32, hn::Lt(b, below)));
    }
  };
  const auto whole = [&](std::uint64_t group, std::size_t i) HWY_ATTR {
    if constexpr (kVectorPhilox) {
      const V16 below16 = hn::Set(k16, static_cast<std::uint16_t>(threshold));
      philox.template group<kMaskRegisters ? LaneOrder::kInOrder : LaneOrder::kInterleaves>(
          group, [&](std::size_t at, V16 bits) HWY_ATTR {
            const KeepPair keep = keep_pair(bits, below16);
            f(Whole{i + at}, keep.lower);
            f(Whole{i + at + kLanes}, keep.upper);
          });
    } else {
      edge(group, 0, i, kGroup);
    }
  };
  for_each_group(first, n, whole, edge);
}

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
