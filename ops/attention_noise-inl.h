// What multiplies the attention weights: P̃ = m ∘ P. The loops ask a noise object for the
// multipliers of a tile at a time, and see nothing of how they come about. The part of
// m common to a whole head (1/q of dropout, all of a DropHead mask) is `scale()`; it meets sums,
// not elements.
#pragma once
#include "ops/attention_tile-inl.h"
#include "ops/mask_philox-inl.h"
#include "ops/noise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops::attn {

/// One m for all weights of a head (DropHead), or with a default Noise none at all.
class PerHead {
 public:
  explicit PerHead(const Noise& noise) : noise_(noise) {}
  /// Makes head number b·NH + h of the whole batch current.
  void head(std::uint64_t number) {
    if (noise_.identity()) return;
    float shift = 0;
    simd::unit_values(noise_, number, 1, &scale_, &shift);
  }
  float scale() const { return scale_; }
  void load(std::uint64_t, std::size_t) {}
  V operator()(std::size_t, std::size_t, V x) const { return x; }

 private:
  Noise noise_;
  float scale_ = 1;
};

/// The random bits of a tile; see attention_mask_element() for their order.
class TileBits {
 public:
  static constexpr hn::RebindToSigned<hn::ScalableTag<float>> kI{};
  using Bits = hn::Vec<hn::RebindToSigned<hn::ScalableTag<float>>>;

  explicit TileBits(const MaskStream& stream) : philox_(stream) {}
  /// Makes the tile current whose first keys are those of group `group`.
  void load(std::uint64_t group, std::size_t keys) {
    for (std::size_t j = 0; j < keys; j += 4) {
      std::uint16_t* out = bits_ + kQ * j;
      philox_.group<simd::LaneOrder::kInOrder>(
          group + j / 4, [out](std::size_t at, simd::V16 bits)
                             HWY_ATTR { hn::StoreU(bits, simd::k16, out + at); });
    }
  }
  /// The 16 bits of key `key` of the tile and the queries in vector number `v`.
  HWY_INLINE Bits at(std::size_t key, std::size_t v) const {
    constexpr std::size_t kHalf = (kQV + 1) / 2;
    const auto* words = reinterpret_cast<const std::int32_t*>(bits_ + kQ * key);
    const auto pair = hn::Load(kI, words + v % kHalf * kLanes);
    const auto low = hn::And(pair, hn::Set(kI, 0xFFFF));
    const auto high = hn::BitCast(kI, hn::ShiftRight<16>(hn::BitCast(kU, pair)));
    return v < kHalf ? low : high;
  }

 private:
  static constexpr hn::RebindToUnsigned<hn::ScalableTag<float>> kU{};
  alignas(64) std::uint16_t bits_[kKeys * kQ];
  simd::Philox<engine::kPhiloxRounds> philox_;
};

/// Dropout: m is the same for all kept weights, and 0 for the others.
class Dropout {
 public:
  explicit Dropout(const Noise& noise)
      : bits_(noise.stream),
        scale_(noise.kept_m),
        threshold_(hn::Set(TileBits::kI, static_cast<std::int32_t>(noise.threshold))) {}

  void head(std::uint64_t) {}
  float scale() const { return scale_; }
  void load(std::uint64_t group, std::size_t keys) { bits_.load(group, keys); }
  /// x or 0, for key `key` of the tile and the queries in vector number `v`.
  V operator()(std::size_t key, std::size_t v, V x) const {
    return hn::IfThenElseZero(hn::RebindMask(kF, hn::Lt(bits_.at(key, v), threshold_)), x);
  }

 private:
  TileBits bits_;
  float scale_;
  TileBits::Bits threshold_;
};

/// Any m for each weight.
class Multiply {
 public:
  explicit Multiply(const Noise& noise) : bits_(noise.stream), noise_(noise) {}

  void head(std::uint64_t) {}
  float scale() const { return 1; }
  void load(std::uint64_t group, std::size_t keys) {
    bits_.load(group, keys);
    const V kept = hn::Set(kF, noise_.kept_m), dropped = hn::Set(kF, noise_.dropped_m);
    const auto threshold = hn::Set(TileBits::kI, static_cast<std::int32_t>(noise_.threshold));
    for (std::size_t j = 0; j < keys; ++j)
      for (std::size_t v = 0; v < kQV; ++v) {
        const auto bits = bits_.at(j, v);
        const V m = noise_.two_points
                        ? hn::IfThenElse(hn::RebindMask(kF, hn::Lt(bits, threshold)), kept, dropped)
                        : simd::continuous_m(noise_, bits);
        hn::Store(m, kF, m_ + j * kQ + v * kLanes);
      }
  }
  /// m·x
  V operator()(std::size_t key, std::size_t v, V x) const {
    return hn::Mul(hn::Load(kF, m_ + key * kQ + v * kLanes), x);
  }

 private:
  TileBits bits_;
  Noise noise_;
  alignas(64) float m_[kKeys * kQ];
};

}  // namespace ops::attn
HWY_AFTER_NAMESPACE();
