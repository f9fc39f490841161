#include "ops/mask.h"

#include "ops/mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
using namespace simd;

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

}  // namespace ops
HWY_AFTER_NAMESPACE();
