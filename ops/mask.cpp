#include "ops/mask.h"

#include "engine/error.h"
#include "ops/mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {
using namespace simd;

/// Bit j%8 of out[j/8] = element j of the group lies below the threshold.
void group_keep(Philox<engine::kPhiloxRounds>& philox, std::uint64_t group, std::uint32_t threshold,
                std::uint8_t* out) {
  if constexpr (kVectorPhilox) {
    const V16 below = hn::Set(k16, static_cast<std::uint16_t>(threshold));
    philox.group<Order::kInOrder>(group, [=](std::size_t at, V16 bits) HWY_ATTR {
      hn::StoreMaskBits(k16, hn::Lt(bits, below), out + at / 8);
    });
  } else {
    std::uint16_t bits[kGroup];
    group_bits(philox, group, bits);
    std::memset(out, 0, kGroup / 8);
    for (std::size_t j = 0; j < kGroup; ++j)
      out[j / 8] = static_cast<std::uint8_t>(out[j / 8] | (bits[j] < threshold) << (j % 8));
  }
}

}  // namespace

void fill_bits(const MaskStream& stream, std::uint64_t first, std::span<std::uint16_t> out) {
  Philox<engine::kPhiloxRounds> philox(stream);
  for_each_group(
      first, out.size(),
      [&](std::uint64_t group, std::size_t i) { group_bits(philox, group, out.data() + i); },
      [&](std::uint64_t group, std::size_t from, std::size_t i, std::size_t count) {
        std::uint16_t bits[kGroup];
        group_bits(philox, group, bits);
        std::memcpy(out.data() + i, bits + from, count * sizeof(bits[0]));
      });
}

void fill_keep(const MaskStream& stream, std::uint64_t first, std::size_t n,
               std::uint32_t threshold, std::span<std::uint8_t> out) {
  engine::require(out.size() >= keep_bytes(n), "fill_keep: ", n, " bits don't fit in ", out.size(),
                  " bytes");
  if (threshold >= kAllKept) {
    std::memset(out.data(), 0xFF, n / 8);
    if (n % 8 != 0) out[n / 8] = static_cast<std::uint8_t>((1u << (n % 8)) - 1);
    return;
  }
  Philox<engine::kPhiloxRounds> philox(stream);
  std::memset(out.data(), 0, keep_bytes(n));
  // A group's bits start anywhere in a byte of `out`: those at the ends go bit by bit.
  const auto copy = [&](std::uint64_t group, std::size_t from, std::size_t i, std::size_t count) {
    std::uint8_t keep[kGroup / 8];
    group_keep(philox, group, threshold, keep);
    for (std::size_t j = 0; j < count; ++j) {
      const unsigned bit = keep[(from + j) / 8] >> ((from + j) % 8) & 1u;
      out[(i + j) / 8] = static_cast<std::uint8_t>(out[(i + j) / 8] | bit << ((i + j) % 8));
    }
  };
  for_each_group(
      first, n,
      [&](std::uint64_t group, std::size_t i) {
        if (i % 8 != 0) return copy(group, 0, i, kGroup);
        group_keep(philox, group, threshold, out.data() + i / 8);
      },
      copy);
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
