// What scripts/dieharder tests is the generator of the masks: the stream, word by word, against
// Random123.
#include <Random123/philox.h>
#undef philox4x32  // a macro of Random123

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "engine/rng.h"
#include "ops/attention.h"
#include "tests/cli/cli_harness.h"

namespace {

using tests::operator+;
using tests::Words;

constexpr std::uint64_t kSeed = 5;

tests::Result run(const Words& flags) {
  const tests::TempFolder folder;
  return tests::Process::program(Words{ISODROP_MASK_STREAM, "--seed", "5"} + flags, folder.path())
      .wait();
}

std::vector<std::uint32_t> stream(const Words& flags, std::size_t words) {
  const tests::Result r = run(flags + Words{"--bytes", std::to_string(4 * words)});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out.size(), 4 * words);
  std::vector<std::uint32_t> out(words);
  std::memcpy(out.data(), r.out.data(), std::min(r.out.size(), 4 * words));
  return out;
}

/// One mask group, 128 elements, as words of two.
template <int kRounds>
std::vector<std::uint32_t> group(const std::string& site, std::uint32_t step, std::uint64_t first) {
  const engine::Key key = engine::stream_key(kSeed, engine::Stream::kMask);
  std::vector<std::uint32_t> out(64);
  using Random123 = r123::Philox4x32_R<kRounds>;
  for (std::uint32_t l = 0; l < 16; ++l) {
    const auto block = static_cast<std::uint32_t>(first / 128 * 16 + l);
    const typename Random123::ctr_type counter = {{block, 0, engine::site_id(site), step}};
    const auto words = Random123()(counter, {{key.k0, key.k1}});
    for (std::size_t w = 0; w < 4; ++w) out[16 * w + l] = words[w];
  }
  return out;
}

/// The first turn of all (step, site, half of the batch) of nano.
template <int kRounds>
std::vector<std::uint32_t> first_round() {
  constexpr std::uint64_t kTime = 64, kWidth = 128, kHeads = 4, kHalf = 6;  // B 12
  std::vector<std::uint32_t> out;
  const auto add = [&](const std::string& site, std::uint32_t step, std::uint64_t middle) {
    for (const std::uint64_t first : {std::uint64_t{0}, middle}) {
      const auto words = group<kRounds>(site, step, first);
      out.insert(out.end(), words.begin(), words.end());
    }
  };
  for (std::uint32_t step = 0; step < 2; ++step) {
    add("emb", step, kHalf * kTime * kWidth);
    for (int layer = 0; layer < 4; ++layer) {
      const std::string h = "h." + std::to_string(layer) + ".";
      add(h + "attn_weights", step, ops::attention_mask_element(kHalf * kHeads, kTime, 0, 0));
      add(h + "attn", step, kHalf * kTime * kWidth);
      add(h + "mlp", step, kHalf * kTime * kWidth);
    }
  }
  return out;
}

TEST(MaskStream, IsRandom123sPhilox) {
  const auto ten = first_round<10>(), seven = first_round<7>();
  ASSERT_EQ(ten.size(), 2u * 13 * 2 * 64);
  EXPECT_EQ(stream({"--generator", "philox10"}, ten.size()), ten);
  EXPECT_EQ(stream({"--generator", "philox7"}, seven.size()), seven);
}

TEST(MaskStream, WeakIsTheSameWithFiveRounds) {
  const auto weak = first_round<5>();
  EXPECT_EQ(stream({"--generator", "weak"}, weak.size()), weak);
  EXPECT_NE(weak, first_round<10>());
}

TEST(MaskStream, KeptBitsAreThoseBelowTheThreshold) {
  for (const std::string generator : {"philox10", "philox7", "weak"}) {
    const auto bits = stream({"--generator", generator}, 3328);
    const auto keep = stream({"--generator", generator, "--of", "keep"}, 3328 / 16);
    for (std::size_t i = 0; i < 2 * bits.size(); ++i)
      ASSERT_EQ(keep[i / 32] >> i % 32 & 1, (bits[i / 2] >> 16 * (i % 2) & 0xFFFF) < 32768)
          << generator << ", element " << i;
  }
}

// In the order of one thread the whole of a site comes before the next one: 2·6·64·128 elements.
TEST(MaskStream, WholeSites) {
  constexpr std::size_t kSite = 12 * 64 * 128 / 2;
  const auto words = stream({"--turn", "0"}, kSite + 64);
  const auto first = group<10>("emb", 0, 0), next = group<10>("h.0.attn_weights", 0, 0);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), words.begin()));
  EXPECT_TRUE(std::equal(next.begin(), next.end(), words.begin() + kSite));
}

TEST(MaskStream, Errors) {
  for (const auto& [flags, message] :
       {std::pair<Words, std::string>{{"--turn", "33"}, "--turn 33: give a multiple of 32"},
        {{"--generator", "lcg"}, "--generator 'lcg' is unknown; choose from philox10, "},
        {{"--bytes", "-1"}, "--bytes '-1': give a whole number of at least 0"}}) {
    const tests::Result r = run(flags);
    EXPECT_EQ(r.code, 2);
    EXPECT_EQ(r.out, "");
    EXPECT_TRUE(r.err.starts_with("mask_stream: error: " + message)) << r.err;
  }
}

}  // namespace
