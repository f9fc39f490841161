// Sums over a row that have the same bits on every instruction set: always in kSumLanes lanes,
// however many of them a vector holds, and these added up in order.
#pragma once
#include <array>
#include <cstdint>

#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace ops::simd {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::int64_t kSumLanes = 16;

/// kSums sums over j of [0, n). f(d, j, sums) adds what elements j, j + 1, … of the row give to
/// sums[0], sums[1], …: vectors of tag `d`, which has one lane behind the last kSumLanes elements.
/// Element j goes to lane j % kSumLanes, those behind to lane 0.
template <std::size_t kSums, class F>
HWY_INLINE std::array<float, kSums> lane_sums(std::int64_t n, const F& f) {
  constexpr hn::CappedTag<float, 16> d;
  constexpr hn::CappedTag<float, 1> one;
  constexpr auto kStep = static_cast<std::int64_t>(hn::MaxLanes(d));
  constexpr auto kVectors = static_cast<std::size_t>(kSumLanes / kStep);
  hn::Vec<decltype(d)> sums[kVectors][kSums];
  for (auto& vector : sums)
    for (auto& sum : vector) sum = hn::Zero(d);
  std::int64_t j = 0;
  for (; j + kSumLanes <= n; j += kSumLanes) {
    HWY_UNROLL(16)
    for (std::size_t v = 0; v < kVectors; ++v)
      f(d, j + static_cast<std::int64_t>(v) * kStep, sums[v]);
  }
  alignas(64) float lanes[kSums][kSumLanes];
  for (std::size_t s = 0; s < kSums; ++s)
    for (std::size_t v = 0; v < kVectors; ++v)
      hn::Store(sums[v][s], d, lanes[s] + v * static_cast<std::size_t>(kStep));
  hn::Vec<decltype(one)> first[kSums];
  for (std::size_t s = 0; s < kSums; ++s) first[s] = hn::Set(one, lanes[s][0]);
  for (; j < n; ++j) f(one, j, first);
  std::array<float, kSums> total{};
  for (std::size_t s = 0; s < kSums; ++s) {
    total[s] = hn::GetLane(first[s]);
    for (std::int64_t l = 1; l < kSumLanes; ++l) total[s] += lanes[s][l];
  }
  return total;
}

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
