// What multiplies the attention weights: P̃ = m ∘ P. The loops ask a noise object for the
// multipliers of a tile at a time, and see nothing of how they come about. The part of
// m common to a whole head (1/q of dropout, all of a DropHead mask) is `scale()`; it meets sums,
// not elements.
#pragma once
#include "ops/attention_tile-inl.h"
#include "ops/mask_philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops::attn {

/// No noise on the elements.
class Quiet {
 public:
  explicit Quiet(float scale = 1) : scale_(scale) {}
  float scale() const { return scale_; }
  void load(std::uint64_t, std::size_t) {}
  V operator()(std::size_t, std::size_t, V x) const { return x; }

 private:
  float scale_;
};

/// Inverted dropout: m = keep/q; see attention_mask_element() for the order of the bits.
class Dropout {
 public:
  Dropout(const MaskStream& stream, std::uint32_t threshold)
      : philox_(stream),
        scale_(static_cast<float>(1 / keep_probability(threshold))),
        threshold_(hn::Set(kI, static_cast<std::int32_t>(threshold))) {}

  float scale() const { return scale_; }
  /// Makes the tile current whose first keys are those of group `group`.
  void load(std::uint64_t group, std::size_t keys) {
    for (std::size_t j = 0; j < keys; j += 4) {
      std::uint16_t* out = bits_ + kQ * j;
      philox_.group<simd::Order::kInOrder>(group + j / 4,
                                           [out](std::size_t at, simd::V16 bits)
                                               HWY_ATTR { hn::StoreU(bits, simd::k16, out + at); });
    }
  }
  /// x or 0, for key `key` of the tile and the queries in vector number `v`.
  V operator()(std::size_t key, std::size_t v, V x) const {
    constexpr std::size_t kHalf = (kQV + 1) / 2;
    const auto* words = reinterpret_cast<const std::int32_t*>(bits_ + kQ * key);
    const auto pair = hn::Load(kI, words + v % kHalf * kLanes);
    const auto low = hn::And(pair, hn::Set(kI, 0xFFFF));
    const auto high = hn::BitCast(kI, hn::ShiftRight<16>(hn::BitCast(kU, pair)));
    return hn::IfThenElseZero(hn::RebindMask(kF, hn::Lt(v < kHalf ? low : high, threshold_)), x);
  }

 private:
  static constexpr hn::RebindToSigned<hn::ScalableTag<float>> kI{};
  static constexpr hn::RebindToUnsigned<hn::ScalableTag<float>> kU{};
  alignas(64) std::uint16_t bits_[kKeys * kQ];
  simd::Philox<engine::kPhiloxRounds> philox_;
  float scale_;
  hn::Vec<hn::RebindToSigned<hn::ScalableTag<float>>> threshold_;
};

}  // namespace ops::attn
HWY_AFTER_NAMESPACE();
