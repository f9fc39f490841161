// Randomness as a pure function: Philox4x32 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011), keyed by seed and stream, counted by element, site and step.
//
// Example:
//     const engine::Key key = engine::stream_key(1, engine::Stream::kMask);  // seed 1
//     const std::uint32_t site = engine::site_id("h.3.mlp");
//     // Whether dropout 0.1 drops element 7 at step 100. The answer is always the same.
//     const bool dropped = engine::mask_bits(key, site, 100, 7) >= std::lround(0.9 * 65536);
//     engine::Sequence order(engine::stream_key(1, engine::Stream::kData), 0);
//     const std::uint64_t place = order.below(1000);
//     assert(place < 1000 && !dropped);
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace engine {

/// Rounds for the masks (10 is the authors' standard; 7 is the fewest they found to pass BigCrush).
inline constexpr int kPhiloxRounds = 10;

/// Streams never share a key, so changing one (masks, say) leaves the others as they were.
enum class Stream : std::uint32_t { kInit = 1, kData = 2, kMask = 3, kSample = 4 };

struct Key {
  std::uint32_t k0 = 0, k1 = 0;
  bool operator==(const Key&) const = default;
};

using Block = std::array<std::uint32_t, 4>;

constexpr Block philox4x32(Block c, Key key, int rounds = kPhiloxRounds) {
  for (int r = 0; r < rounds; ++r) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key.k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key.k1, static_cast<std::uint32_t>(p0)};
    key.k0 += 0x9E3779B9u;
    key.k1 += 0xBB67AE85u;
  }
  return c;
}

/// SplitMix64's finalizer (Steele et al. 2014): a bijection that spreads every bit.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

constexpr Key stream_key(std::uint64_t seed, Stream stream) {
  const std::uint64_t k =
      mix64(mix64(seed) ^ (std::uint64_t{0xA5A5A5A5u} << 32 | static_cast<std::uint32_t>(stream)));
  return {static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(k >> 32)};
}

/// FNV-1a of a name, folded to 32 bits: identifies a place that draws random numbers ("h.3.mlp").
constexpr std::uint32_t site_id(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const char ch : name) h = (h ^ static_cast<unsigned char>(ch)) * 0x100000001B3u;
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

/// The Philox block number `block` of (site, step) under `key`.
constexpr Block random_block(Key key, std::uint32_t site, std::uint64_t step, std::uint64_t block,
                             int rounds = kPhiloxRounds) {
  return philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                     site, static_cast<std::uint32_t>(step)},
                    key, rounds);
}

/// A plain sequence of numbers from one (key, site, step), for init, data order and sampling.
class Sequence {
 public:
  Sequence(Key key, std::uint32_t site, std::uint64_t step = 0)
      : key_(key), site_(site), step_(step) {}

  std::uint32_t next32() {
    if (used_ == 4) {
      block_ = random_block(key_, site_, step_, next_++, 10);
      used_ = 0;
    }
    return block_[used_++];
  }
  std::uint64_t next64() {
    const std::uint64_t lo = next32();
    return lo | std::uint64_t{next32()} << 32;
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next64() >> 11) * 0x1p-53; }
  /// Uniform in [0, n), without bias (rejection). REQUIRES: n > 0.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % n + 1) % n;
    std::uint64_t x = next64();
    while (x > limit) x = next64();
    return x % n;
  }

 private:
  Key key_;
  std::uint32_t site_;
  std::uint64_t step_;
  std::uint64_t next_ = 0;
  Block block_{};
  std::size_t used_ = 4;
};

/// Mask bits are 16 per element. 128 consecutive elements share 16 Philox blocks: element
/// e = 128·g + 32·w + 2·l + h takes half h (0: low) of word w of block 16·g + l, so that SIMD lanes
/// of any width write the bits in element order without a shuffle.
constexpr std::uint16_t mask_bits(Key key, std::uint32_t site, std::uint64_t step,
                                  std::uint64_t element, int rounds = kPhiloxRounds) {
  const std::uint64_t group = element / 128;
  const auto in = static_cast<std::uint32_t>(element % 128);
  const Block b = random_block(key, site, step, 16 * group + (in % 32) / 2, rounds);
  return static_cast<std::uint16_t>(b[in / 32] >> (16 * (in % 2)));
}

}  // namespace engine
