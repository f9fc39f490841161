// Masks as pure functions of (key, site, step, element): 16 random bits per element, kept where
// they lie below a threshold. engine/rng.h's mask_bits() defines the bits; this is the fast way to
// them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/rng.h"

namespace ops {

/// Where mask bits come from: one site of one step. Elements are numbered logically.
struct MaskStream {
  engine::Key key;
  std::uint32_t site = 0;
  std::uint64_t step = 0;
};

/// All of the 65536 values of the bits: rate 0 keeps everything, exactly.
inline constexpr std::uint32_t kAllKept = 65536;

/// Threshold of drop rate p: an element is kept iff bits < round((1 − p)·65536). 0 means that the
/// rate is so close to 1 that nothing would be left. REQUIRES: 0 <= rate < 1.
inline std::uint32_t keep_threshold(double rate) {
  return static_cast<std::uint32_t>(std::lround((1.0 - rate) * double{kAllKept}));
}

/// The keep probability the threshold really has; 1/q of it makes the mean exact.
constexpr double keep_probability(std::uint32_t threshold) { return threshold / double{kAllKept}; }

/// out[i] = mask_bits(key, site, step, first + i).
void fill_bits(const MaskStream& stream, std::uint64_t first, std::span<std::uint16_t> out);

inline void fill_bits(engine::Key key, std::uint32_t site, std::uint64_t step, std::uint64_t first,
                      std::span<std::uint16_t> out) {
  fill_bits({key, site, step}, first, out);
}

}  // namespace ops
