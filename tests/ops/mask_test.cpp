// The masks: Philox against its authors' vectors and code, SIMD against the definition, statistics.
#include "ops/mask.h"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "benchmarks/stored_mask-inl.h"

#undef philox4x32  // a macro of Random123

namespace ops {
namespace {

using engine::Block;
using engine::Key;

// Known answers of Random123 1.14, tests/kat_vectors: philox4x32, 7 and 10 rounds.
TEST(Philox, KnownAnswers) {
  struct Answer {
    int rounds;
    Block counter;
    Key key;
    Block expected;
  };
  constexpr std::uint32_t kOnes = 0xffffffff;
  const Answer answers[] = {
      {7, {0, 0, 0, 0}, {0, 0}, {0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}},
      {7,
       {kOnes, kOnes, kOnes, kOnes},
       {kOnes, kOnes},
       {0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662}},
      {7,
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a}},
      {10, {0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {10,
       {kOnes, kOnes, kOnes, kOnes},
       {kOnes, kOnes},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {10,
       {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Answer& a : answers)
    EXPECT_EQ(engine::philox4x32(a.counter, a.key, a.rounds), a.expected) << a.rounds;
}

TEST(Philox, EqualsRandom123) {
  std::mt19937 rng(3);
  for (int i = 0; i < 200; ++i) {
    const Block c = {static_cast<std::uint32_t>(rng()), static_cast<std::uint32_t>(rng()),
                     static_cast<std::uint32_t>(rng()), static_cast<std::uint32_t>(rng())};
    const Key k = {static_cast<std::uint32_t>(rng()), static_cast<std::uint32_t>(rng())};
    const r123::Philox4x32::ctr_type counter = {{c[0], c[1], c[2], c[3]}};
    const r123::Philox4x32::key_type key = {{k.k0, k.k1}};
    const auto ten = r123::Philox4x32_R<10>()(counter, key);
    const auto seven = r123::Philox4x32_R<7>()(counter, key);
    for (std::size_t w = 0; w < 4; ++w) {
      EXPECT_EQ(engine::philox4x32(c, k, 10)[w], ten[w]);
      EXPECT_EQ(engine::philox4x32(c, k, 7)[w], seven[w]);
    }
  }
}

TEST(Mask, EqualsDefinitionAtAnyOffsetAndLength) {
  std::mt19937_64 rng(1);
  for (int trial = 0; trial < 600; ++trial) {
    const MaskStream s{{static_cast<std::uint32_t>(rng()), static_cast<std::uint32_t>(rng())},
                       static_cast<std::uint32_t>(rng()),
                       rng() >> 40};
    // Small, anywhere, and across the element where Philox's second counter word changes.
    const std::uint64_t offsets[] = {rng() % 1000, 128 * (rng() % 100), rng() >> 10,
                                     (std::uint64_t{1} << 35) - rng() % 300};
    const std::uint64_t first = offsets[trial % 4];
    const std::size_t n = rng() % 600;
    const auto threshold = static_cast<std::uint32_t>(1 + rng() % kAllKept);
    std::vector<std::uint16_t> bits(n + 1, 0xABCD);
    std::vector<float> x(n), y(n + 1, -1.0f);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i + 1);
    fill_bits(s, first, {bits.data(), n});
    simd::for_each_keep(s, first, n, threshold, [&](auto at, simd::Keep k) {
      at.store(simd::hn::IfThenElseZero(k, at.load(x.data())), y.data());
    });
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint16_t expected = engine::mask_bits(s.key, s.site, s.step, first + i);
      ASSERT_EQ(bits[i], expected) << "element " << first << " + " << i;
      ASSERT_EQ(y[i], expected < threshold ? x[i] : 0.0f) << "element " << first << " + " << i;
    }
    EXPECT_EQ(bits[n], 0xABCD);
    EXPECT_EQ(y[n], -1.0f);
  }
}

TEST(Mask, SevenRoundsToo) {
  const MaskStream s{{1, 2}, 3, 4};
  simd::for_each_bits<7>(s, 100, 1000, [&](auto at, simd::hn::Vec<simd::I32> bits) {
    std::int32_t lane[simd::kLanes];
    simd::hn::StoreU(bits, simd::kI32, lane);
    for (std::size_t j = 0; j < at.n; ++j)
      ASSERT_EQ(lane[j], engine::mask_bits(s.key, s.site, s.step, 100 + at.i + j, 7));
  });
}

TEST(Mask, StoredAndReadIsTheSameAsApplied) {
  const MaskStream s{{5, 6}, 7, 8};
  for (const std::size_t n : {1u, 7u, 8u, 12u, 100u, 128u, 129u, 1000u, 1024u}) {
    for (const std::uint64_t first : {0u, 8u, 64u, 128u, 1000u}) {
      std::vector<std::uint8_t> stored(simd::keep_bytes(n) + 1, 0);
      stored.back() = 0xCD;
      const std::vector<float> ones(n, 1);
      std::vector<float> applied(n), read(n);
      simd::for_each_keep(s, first, n, 30000, [&](auto at, simd::Keep keep) {
        simd::store_keep(at, keep, stored.data());
        at.store(simd::hn::IfThenElseZero(keep, at.load(ones.data())), applied.data());
      });
      simd::for_each_stored(stored.data(), n, [&](auto at, simd::Keep keep) {
        at.store(simd::hn::IfThenElseZero(keep, at.load(ones.data())), read.data());
      });
      EXPECT_EQ(stored.back(), 0xCD);
      if (n % 8 != 0) {
        EXPECT_EQ(stored[n / 8] >> (n % 8), 0) << "bits past the end";
      }
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(stored[i / 8] >> (i % 8) & 1, applied[i]) << first << " + " << i;
      EXPECT_EQ(read, applied) << first << " + " << n;
    }
  }
}

TEST(Mask, ThresholdIsTheQuantizedKeepProbability) {
  EXPECT_EQ(keep_threshold(0), kAllKept);
  EXPECT_EQ(keep_threshold(0.1), 58982u);
  EXPECT_EQ(keep_threshold(0.5), 32768u);
  EXPECT_EQ(keep_threshold(1 - 1e-9), 0u);
  EXPECT_DOUBLE_EQ(keep_probability(keep_threshold(0.25)), 0.75);
  EXPECT_NEAR(keep_probability(keep_threshold(0.1)), 0.9, 0.5 / 65536);
}

// Kept share within 4 standard errors of the quantized q, for several rates, sites and steps.
TEST(MaskStatistics, KeptShare) {
  constexpr std::size_t kN = 1 << 20;
  std::vector<std::uint16_t> bits(kN);
  const Key key = engine::stream_key(11, engine::Stream::kMask);
  for (std::uint32_t site = 0; site < 3; ++site)
    for (const double rate : {0.05, 0.1, 0.2, 0.5, 0.9}) {
      const std::uint32_t threshold = keep_threshold(rate);
      fill_bits({key, site, 10 + site}, 0, bits);
      const double q = keep_probability(threshold);
      double kept = 0, second = 0;
      for (const std::uint16_t b : bits) {
        kept += b < threshold;
        second += b < threshold ? 1 / (q * q) : 0;
      }
      const double standard_error = std::sqrt(q * (1 - q) / kN);
      EXPECT_NEAR(kept / kN, q, 4 * standard_error) << rate;
      EXPECT_NEAR(second / kN, 1 / q, 4 * standard_error / (q * q)) << rate;
    }
}

/// Correlation of the bits, as numbers, of two sequences of independent uniforms has a standard
/// error of 1/√n.
double correlation(std::span<const std::uint16_t> a, std::span<const std::uint16_t> b) {
  const double mean = 32767.5, variance = (65536.0 * 65536.0 - 1) / 12;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean) * (b[i] - mean);
  return sum / variance / static_cast<double>(a.size());
}

TEST(MaskStatistics, NeighboursAreUncorrelated) {
  constexpr std::size_t kC = 384, kT = 64, kRows = 32 * kT, kN = kRows * kC;
  const Key key = engine::stream_key(1, engine::Stream::kMask);
  std::vector<std::uint16_t> a(kN), b(kN);
  fill_bits({key, engine::site_id("h.0.mlp"), 100}, 0, a);
  const double bound = 4 / std::sqrt(static_cast<double>(kN) * 0.9);
  const std::span<const std::uint16_t> all(a);
  const std::pair<const char*, std::size_t> lags[] = {
      {"elements", 1}, {"halves", 2},           {"words", 32},          {"groups", 128},
      {"rows", kC},    {"columns + 1", kC + 1}, {"micro-steps", kN / 2}};
  for (const auto& [name, lag] : lags) {
    const double n = static_cast<double>(kN - lag);
    EXPECT_NEAR(correlation(all.subspan(lag), all.first(kN - lag)), 0, 4 / std::sqrt(n)) << name;
  }
  const std::pair<const char*, MaskStream> others[] = {
      {"sites", {key, engine::site_id("h.1.mlp"), 100}},
      {"steps", {key, engine::site_id("h.0.mlp"), 101}},
      {"seeds", {engine::stream_key(2, engine::Stream::kMask), engine::site_id("h.0.mlp"), 100}},
      {"streams", {engine::stream_key(1, engine::Stream::kData), engine::site_id("h.0.mlp"), 100}}};
  for (const auto& [name, stream] : others) {
    fill_bits(stream, 0, b);
    EXPECT_NEAR(correlation(a, b), 0, bound) << name;
  }
}

// Each of the 16 bits is set half of the time.
TEST(MaskStatistics, EveryBit) {
  constexpr std::size_t kN = 1 << 20;
  std::vector<std::uint16_t> bits(kN);
  fill_bits({engine::stream_key(4, engine::Stream::kMask), 5, 6}, 0, bits);
  for (int bit = 0; bit < 16; ++bit) {
    double set = 0;
    for (const std::uint16_t b : bits) set += b >> bit & 1;
    EXPECT_NEAR(set / kN, 0.5, 4 * 0.5 / std::sqrt(kN)) << bit;
  }
}

}  // namespace
}  // namespace ops
