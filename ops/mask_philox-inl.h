// The inner loops of every mask: Philox on SIMD, in registers, inside the loop that consumes it.
//
// Philox's words live in 64-bit lanes, where the 32×32→64 multiply reads and writes them without a
// shuffle; the upper halves carry rubbish that no later step looks at. Two vectors, one of the even
// and one of the odd blocks, merge at the end to a vector of 32-bit words in element order.
//
// What the first rounds know beforehand (c1, c2 and c3 are the same for all blocks of a stream, and
// M0·c0 grows by a constant) is computed once: of 20 multiplications of 10 rounds 17 remain.
#pragma once
#include "ops/mask.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace ops::simd {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr std::size_t kGroup = 128;  // elements that share 16 Philox blocks
using F32 = hn::ScalableTag<float>;
using I32 = hn::RebindToSigned<F32>;
using Half16 = hn::Rebind<std::uint16_t, F32>;  // as many lanes as F32
using VF = hn::Vec<F32>;
using Keep = hn::Mask<F32>;
inline constexpr F32 kF32{};
inline constexpr I32 kI32{};
inline constexpr Half16 kHalf16{};
inline constexpr std::size_t kLanes = hn::MaxLanes(F32());
inline constexpr bool kMaskRegisters = kLanes >= 16;  // masks are registers of bits

/// How words lie in a vector: kInOrder, or so that interleaving a vector of 16-bit values with
/// itself (which works within 128-bit blocks) widens it to two vectors in element order.
enum class LaneOrder { kInOrder, kInterleaves };

#if HWY_TARGET == HWY_SCALAR
inline constexpr bool kVectorPhilox = false;
using D16 = hn::ScalableTag<std::uint16_t>;
using V16 = hn::Vec<D16>;
inline constexpr D16 k16{};

/// The portable path: mask_bits() by the block.
template <int kRounds>
class Philox {
 public:
  explicit Philox(const MaskStream& stream) : s_(stream) {}
  template <LaneOrder, class Use>
  void group(std::uint64_t group, const Use& use) {
    for (std::size_t l = 0; l < 16; ++l) {
      const engine::Block b =
          engine::random_block(s_.key, s_.site, s_.step, 16 * group + l, kRounds);
      for (std::size_t w = 0; w < 4; ++w) {
        use(32 * w + 2 * l, hn::Set(k16, static_cast<std::uint16_t>(b[w])));
        use(32 * w + 2 * l + 1, hn::Set(k16, static_cast<std::uint16_t>(b[w] >> 16)));
      }
    }
  }

 private:
  MaskStream s_;
};
#else
inline constexpr bool kVectorPhilox = true;
using D64 = hn::ScalableTag<std::uint64_t>;
using D32 = hn::ScalableTag<std::uint32_t>;
using D16 = hn::ScalableTag<std::uint16_t>;
using V64 = hn::Vec<D64>;
using V32 = hn::Vec<D32>;
using V16 = hn::Vec<D16>;
inline constexpr D64 k64{};
inline constexpr D32 k32{};
inline constexpr D16 k16{};

/// Philox of one stream, 16 blocks at a time.
template <int kRounds>
class Philox {
  static_assert(kRounds >= 4);

 public:
  HWY_INLINE explicit Philox(const MaskStream& stream)
      : site_(stream.site), step_(static_cast<std::uint32_t>(stream.step)) {
    std::uint32_t k0 = stream.key.k0, k1 = stream.key.k1;
    for (int r = 0; r < kRounds; ++r, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      key0_[r] = k0;
      key1_[r] = k1;
    }
    set_block_high(0);
  }

  /// Calls use(offset, bits) for the vectors of 16-bit values of group number `group`; `offset` is
  /// their first element within the group.
  template <LaneOrder kOrder, class Use>
  HWY_INLINE void group(std::uint64_t group, const Use& use) {
    if (HWY_UNLIKELY(group >> 28 != block_high_))
      set_block_high(static_cast<std::uint32_t>(group >> 28));
    const std::uint64_t* lanes = kOrder == LaneOrder::kInOrder ? kInOrderLanes : kInterleavingLanes;
    const V64 base =
        hn::Add(hn::Load(k64, lanes), hn::Set(k64, kM0 * ((16 * group) & 0xFFFFFFFFu)));
    for (std::size_t part = 0; part < 16 / kWords; ++part) {
      Words e = start(hn::Add(base, hn::Set(k64, kM0 * (kWords * part))));
      Words o = start(hn::Add(base, hn::Set(k64, kM0 * (kWords * part + 1))));
      for (int r = 3; r < kRounds - 1; ++r) {
        e = round(e, r);
        o = round(o, r);
      }
      const V64 ep0 = mul(e.c0, kM0), op0 = mul(o.c0, kM0);
      const V64 ep1 = mul(e.c2, kM1), op1 = mul(o.c2, kM1);
      const V32 k0 = hn::Set(k32, low(key0_[kRounds - 1])),
                k1 = hn::Set(k32, low(key1_[kRounds - 1]));
      const std::size_t at = 2 * kWords * part;
      use(at, to16(xor3(highs(ep1, op1), lows(e.c1, o.c1), k0)));
      use(at + 32, to16(lows(ep1, op1)));
      use(at + 64, to16(xor3(highs(ep0, op0), lows(e.c3, o.c3), k1)));
      use(at + 96, to16(lows(ep0, op0)));
    }
  }

 private:
  static constexpr std::uint64_t kM0 = 0xD2511F53u, kM1 = 0xCD9E8D57u;
  static constexpr std::size_t kWords = hn::MaxLanes(D32());
  // M0·(number of the even block in each 64-bit lane).
  alignas(64) static constexpr std::uint64_t kInOrderLanes[8] = {
      0, kM0 * 2, kM0 * 4, kM0 * 6, kM0 * 8, kM0 * 10, kM0 * 12, kM0 * 14};
  alignas(64) static constexpr std::uint64_t kInterleavingLanes[4] = {0, kM0*(kWords == 8 ? 4 : 2),
                                                                      kM0 * 2, kM0 * 6};
  struct Words {
    V64 c0, c1, c2, c3;
  };

  static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) { return low(x >> 32); }
  static HWY_INLINE V64 set(std::uint64_t x) { return hn::Set(k64, x); }
  static HWY_INLINE V64 mul(V64 a, std::uint64_t m) {
    return hn::MulEven(hn::BitCast(k32, a), hn::BitCast(k32, hn::Set(k64, m)));
  }
  template <class V>
  static HWY_INLINE V xor3(V a, V b, V c) {
    return hn::Xor3(a, b, c);
  }
  static HWY_INLINE V64 upper(V64 a) { return hn::ShiftRight<32>(a); }
  static HWY_INLINE V16 to16(V32 v) { return hn::BitCast(k16, v); }
  /// The lower (upper) halves of the even and the odd blocks' words, alternating.
  static HWY_INLINE V32 lows(V64 even, V64 odd) {
    return hn::OddEven(hn::DupEven(hn::BitCast(k32, odd)), hn::BitCast(k32, even));
  }
  static HWY_INLINE V32 highs(V64 even, V64 odd) {
    return hn::OddEven(hn::BitCast(k32, odd), hn::BitCast(k32, upper(even)));
  }

  /// What rounds 0 and 1 know beforehand: round 0 of (c0, block_high, site, step) gives
  /// c0 = a and c1 = low(p); round 1 ends with c3 = low(q).
  void set_block_high(std::uint32_t block_high) {
    block_high_ = block_high;
    const std::uint64_t p = kM1 * site_;
    const std::uint64_t q = kM0 * (high(p) ^ block_high ^ key0_[0]);
    first_c2_ = step_ ^ key1_[0];
    second_c0_ = low(p) ^ key0_[1];
    second_c2_ = high(q) ^ key1_[1];
    third_c2_ = low(q) ^ key1_[2];
  }
  /// Rounds 0, 1 and 2, from p0 = M0·c0.
  HWY_INLINE Words start(V64 p0) const {
    const V64 p1 = mul(hn::Xor(upper(p0), set(first_c2_)), kM1);
    const V64 q0 = mul(hn::Xor(upper(p1), set(second_c0_)), kM0);
    const V64 q1 = mul(hn::Xor(p0, set(second_c2_)), kM1);
    return {xor3(upper(q1), p1, set(key0_[2])), q1, hn::Xor(upper(q0), set(third_c2_)), q0};
  }
  HWY_INLINE Words round(const Words& c, int r) const {
    const V64 p0 = mul(c.c0, kM0), p1 = mul(c.c2, kM1);
    return {xor3(upper(p1), c.c1, set(key0_[r])), p1, xor3(upper(p0), c.c3, set(key1_[r])), p0};
  }

  std::uint32_t site_, step_;
  std::uint64_t block_high_ = 0;
  // 64 bits wide, so that they broadcast from memory.
  std::uint64_t first_c2_ = 0, second_c0_ = 0, second_c2_ = 0, third_c2_ = 0;
  std::uint64_t key0_[kRounds], key1_[kRounds];
};
#endif

}  // namespace ops::simd
HWY_AFTER_NAMESPACE();
