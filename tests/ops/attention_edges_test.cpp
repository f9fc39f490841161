// Attention at its edges: rate 0, parts of a batch, large tensors and scores, NaN, wrong shapes.
#include <limits>

#include "tests/ops/attention_harness.h"

namespace {
using namespace tests::attention;

TEST(Attention, RateZeroIsNoDropoutBitForBit) {
  const Case c{2, 70, 2, 32};
  const Floats qkv = qkv_of(c), dout = dout_of(c);
  const Result plain = run(c, qkv, dout, false);
  for (const float rate : {0.0f, 5e-6f}) {  // the second is quantized to 0
    Case hooked = c;
    hooked.rate = rate;
    const Result r = run(hooked, qkv, dout, true);
    EXPECT_EQ(r.out, plain.out);
    EXPECT_EQ(r.dqkv, plain.dqkv);
  }
}

TEST(Attention, WithoutAHookTheRateMeansNothing) {
  Case c{1, 40, 2, 16};
  const Floats qkv = qkv_of(c), dout = dout_of(c);
  const Floats plain = run(c, qkv, dout, false).out;
  c.rate = 0.5f;
  EXPECT_EQ(run(c, qkv, dout, false).out, plain);
  EXPECT_NE(run(c, qkv, dout, true).out, plain);
}

TEST(Attention, MicroStepsHaveTheMasksOfTheWholeBatch) {
  const Case whole{4, 45, 2, 16, 0.2f, 0};
  const Floats qkv = qkv_of(whole), dout = dout_of(whole);
  const Result all = run(whole, qkv, dout);
  for (const std::uint64_t first : {0u, 2u}) {
    const Case part{2, 45, 2, 16, 0.2f, first};
    const auto cut = [&](const Floats& x) {
      const auto half = std::ssize(x) / 2;
      return first == 0 ? Floats(x.begin(), x.begin() + half) : Floats(x.begin() + half, x.end());
    };
    const Result r = run(part, cut(qkv), cut(dout));
    EXPECT_EQ(r.out, cut(all.out));
    EXPECT_EQ(r.dqkv, cut(all.dqkv));
  }
}

TEST(Attention, LargeTensorsHoldWhatSmallOnesDo) {  // they are written past the caches
  const Case large{48, 86, 4, 64, 0.1f};
  const Floats qkv = qkv_of(large), dout = dout_of(large);
  const Result all = run(large, qkv, dout);
  Case one = large;
  one.B = 1;
  for (std::ptrdiff_t b = 0; b < large.B; b += 47) {
    const auto row = [&](const Floats& x) {
      const auto n = std::ssize(x) / large.B;
      return Floats(x.begin() + b * n, x.begin() + (b + 1) * n);
    };
    one.first_row = static_cast<std::uint64_t>(b);
    const Result r = run(one, row(qkv), row(dout));
    EXPECT_EQ(r.out, row(all.out));
    EXPECT_EQ(r.dqkv, row(all.dqkv));
  }
}

TEST(Attention, MaskElementsAreDistinct) {
  const std::uint64_t T = 37;
  std::vector<bool> used(3 * 2 * 10 * 128);
  for (std::uint64_t bh = 0; bh < 3; ++bh)
    for (std::uint64_t i = 0; i < T; ++i)
      for (std::uint64_t j = 0; j <= i; ++j) {
        const std::uint64_t e = ops::attention_mask_element(bh, T, i, j);
        ASSERT_LT(e, used.size());
        ASSERT_FALSE(used[e]);
        used[e] = true;
      }
}

TEST(Attention, LargeScoresStayFinite) {
  const Case c{1, 66, 1, 8, 0.1f};
  Floats qkv = qkv_of(c);
  for (float& x : qkv) x *= 100;
  const Floats dout = dout_of(c);
  const Result r = run(c, qkv, dout);
  const Reference want = reference({1, 1, 1, 8}, widened({qkv.begin(), qkv.begin() + 24}), dout);
  EXPECT_EQ(want.out.size(), 8u);
  for (const Floats* x : {&r.out, &r.dqkv})
    for (const float v : *x) ASSERT_TRUE(std::isfinite(v));
}

TEST(Attention, NanIsNotHidden) {
  const Case c{1, 40, 1, 8};
  Floats qkv = qkv_of(c);
  qkv[20 * 24 + 8] = std::numeric_limits<float>::quiet_NaN();  // a key
  const Floats out = run(c, qkv, dout_of(c)).out;
  EXPECT_FALSE(std::isnan(out[19 * 8]));
  EXPECT_TRUE(std::isnan(out[20 * 8]));
  EXPECT_TRUE(std::isnan(out[39 * 8]));
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const Shape wrong{2, 4, 20};
  EXPECT_THROW(ops::make_attention(4)->infer({&wrong, 1}), base::Error);
  EXPECT_THROW(ops::make_attention(0), base::Error);
}

TEST(Attention, MemoryIsLinearInT) {
  const auto bytes = [](std::int64_t T) {
    const auto op = ops::make_attention(2, &ops::noise_kind("dropout"));
    const Shape in{1, T, 3 * 64};
    op->infer({&in, 1});
    const engine::Needs n = op->needs();
    return n.saved + n.scratch_forward + n.scratch_backward;
  };
  EXPECT_LT(bytes(4096), 4.1 * static_cast<double>(bytes(1024)));
}

}  // namespace
