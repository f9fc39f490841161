#include "ops/attention.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/rng.h"

namespace {
using engine::Shape;
using Floats = std::vector<float>;

struct Case {
  std::int64_t B, T, NH, hs;
  float rate = 0;
  std::uint64_t first_row = 0;
};

struct Result {
  Floats out, lse, dqkv;
};

constexpr engine::Step kStep{.seed = 7, .index = 3, .first_row = 0, .progress = 0};
constexpr std::uint32_t kSite = engine::site_id("h.1.attn_weights");

Floats noise(std::int64_t n, std::uint32_t site, float scale) {
  engine::Sequence seq(engine::stream_key(1, engine::Stream::kInit), site);
  Floats x(static_cast<std::size_t>(n));
  for (float& v : x) v = scale * static_cast<float>(2 * seq.uniform() - 1);
  return x;
}

/// Memory the op may touch and, before and after it, memory it may not.
class Guarded {
 public:
  explicit Guarded(std::size_t bytes)
      : bytes_(bytes), memory_(bytes + 2 * kGuard + 64, std::byte{0xFF}) {
    begin_ = (64 - reinterpret_cast<std::uintptr_t>(memory_.data()) % 64) % 64 + kGuard;
  }
  std::span<std::byte> span() { return {memory_.data() + begin_, bytes_}; }
  float* f32() { return reinterpret_cast<float*>(memory_.data() + begin_); }
  bool intact() const {
    for (std::size_t i = 0; i < memory_.size(); ++i)
      if ((i < begin_ || i >= begin_ + bytes_) && memory_[i] != std::byte{0xFF}) return false;
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 256;
  std::size_t bytes_, begin_ = 0;
  std::vector<std::byte> memory_;  // 0xFF: a float made of it is NaN
};

/// Runs the op on poisoned memory. `before`: what dqkv holds, to be added to; empty: assign.
Result run(const Case& c, const Floats& qkv, const Floats& dout, bool hook = true,
           const Floats& before = {}) {
  const auto op =
      ops::make_attention(static_cast<int>(c.NH), hook ? &ops::noise_kind("dropout") : nullptr);
  const Shape in_shape{c.B, c.T, 3 * c.NH * c.hs};
  const Shape out_shape = op->infer({&in_shape, 1});
  const engine::Needs needs = op->needs();
  const std::size_t n = qkv.size() * sizeof(float);
  Guarded in(n), din(n), out(n / 3), dgiven(n / 3), saved(needs.saved);
  Guarded forward(needs.scratch_forward), backward(needs.scratch_backward);
  std::memcpy(in.f32(), qkv.data(), n);
  std::memcpy(dgiven.f32(), dout.data(), n / 3);
  if (!before.empty()) std::memcpy(din.f32(), before.data(), n);

  const engine::View in_view{in.f32(), engine::DType::kF32, &in_shape};
  const engine::Grad grad{{din.f32(), engine::DType::kF32, &in_shape}, !before.empty()};
  engine::Frame f;
  f.in = {&in_view, 1};
  f.out = {out.f32(), engine::DType::kF32, &out_shape};
  f.saved = saved.span();
  f.scratch = forward.span();
  f.step = kStep;
  f.step.first_row = c.first_row;
  f.site = kSite;
  f.rate = c.rate;
  op->forward(f);
  f.dout = {dgiven.f32(), engine::DType::kF32, &out_shape};
  f.din = {&grad, 1};
  f.scratch = backward.span();
  op->backward(f);
  for (const Guarded* g : {&in, &din, &out, &dgiven, &saved, &forward, &backward})
    EXPECT_TRUE(g->intact());
  return {Floats(out.f32(), out.f32() + qkv.size() / 3),
          Floats(saved.f32(), saved.f32() + needs.saved / sizeof(float)),
          Floats(din.f32(), din.f32() + qkv.size())};
}

struct Reference {
  std::vector<double> out, dqkv;
};

/// Multiplier of the weight of query i and key j.
double multiplier(const Case& c, std::uint64_t b, std::uint64_t h, std::uint64_t i,
                  std::uint64_t j) {
  const auto threshold = static_cast<std::uint32_t>(std::lround((1.0 - c.rate) * 65536));
  const auto NH = static_cast<std::uint64_t>(c.NH), T = static_cast<std::uint64_t>(c.T);
  const std::uint64_t e = ops::attention_mask_element((c.first_row + b) * NH + h, T, i, j);
  const engine::Key key = engine::stream_key(kStep.seed, engine::Stream::kMask);
  return engine::mask_bits(key, kSite, kStep.index, e) < threshold ? 65536.0 / threshold : 0;
}

/// The definition, in double precision, a (T,T) matrix of weights at a time.
Reference reference(const Case& c, const std::vector<double>& qkv, const Floats& dout) {
  const auto B = static_cast<std::size_t>(c.B), T = static_cast<std::size_t>(c.T);
  const auto NH = static_cast<std::size_t>(c.NH), hs = static_cast<std::size_t>(c.hs), C = NH * hs;
  Reference r{std::vector<double>(B * T * C), std::vector<double>(B * T * 3 * C)};
  const double scale = 1 / std::sqrt(static_cast<double>(hs));
  for (std::size_t b = 0; b < B; ++b)
    for (std::size_t h = 0; h < NH; ++h) {
      const auto row = [&](std::size_t t) { return (b * T + t) * 3 * C + h * hs; };
      for (std::size_t i = 0; i < T; ++i) {
        std::vector<double> p(i + 1), m(i + 1), dp(i + 1);
        double sum = 0, weighted = 0;
        for (std::size_t j = 0; j <= i; ++j) {
          for (std::size_t k = 0; k < hs; ++k) p[j] += qkv[row(i) + k] * qkv[row(j) + C + k];
          p[j] = std::exp(p[j] * scale);
          sum += p[j];
          m[j] = multiplier(c, b, h, i, j);
        }
        const std::size_t o = (b * T + i) * C + h * hs;
        for (std::size_t j = 0; j <= i; ++j) {
          p[j] /= sum;
          for (std::size_t k = 0; k < hs; ++k) {
            r.out[o + k] += m[j] * p[j] * qkv[row(j) + 2 * C + k];
            r.dqkv[row(j) + 2 * C + k] += m[j] * p[j] * static_cast<double>(dout[o + k]);
            dp[j] += m[j] * static_cast<double>(dout[o + k]) * qkv[row(j) + 2 * C + k];
          }
          weighted += p[j] * dp[j];
        }
        for (std::size_t j = 0; j <= i; ++j)
          for (std::size_t k = 0; k < hs; ++k) {
            const double ds = p[j] * (dp[j] - weighted) * scale;
            r.dqkv[row(i) + k] += ds * qkv[row(j) + C + k];
            r.dqkv[row(j) + C + k] += ds * qkv[row(i) + k];
          }
      }
    }
  return r;
}

/// Largest difference over the reference's largest value.
template <class A, class R>
double difference(const A& a, const R& r) {
  double worst = 0, top = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double d = std::fabs(static_cast<double>(a[i]) - static_cast<double>(r[i]));
    if (!(d <= worst)) worst = d;  // NaN counts
    top = std::max(top, std::fabs(static_cast<double>(r[i])));
  }
  return worst / top;
}

std::vector<double> widened(const Floats& x) { return {x.begin(), x.end()}; }
Floats qkv_of(const Case& c) { return noise(c.B * c.T * 3 * c.NH * c.hs, 1, 2); }
Floats dout_of(const Case& c) { return noise(c.B * c.T * c.NH * c.hs, 2, 1); }

class AttentionCase : public testing::TestWithParam<Case> {};

TEST_P(AttentionCase, MatchesTheDoubleReference) {
  const Case& c = GetParam();
  const Floats qkv = qkv_of(c), dout = dout_of(c), before = noise(std::ssize(qkv), 3, 1);
  const Reference want = reference(c, widened(qkv), dout);
  const Result got = run(c, qkv, dout);
  EXPECT_LT(difference(got.out, want.out), 2e-6);
  EXPECT_LT(difference(got.dqkv, want.dqkv), 5e-6);

  const Result added = run(c, qkv, dout, true, before);
  std::vector<double> sum = want.dqkv;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(before[i]);
  EXPECT_LT(difference(added.dqkv, sum), 5e-6);
}

TEST_P(AttentionCase, SameBitsForAnyNumberOfThreads) {
  const Case& c = GetParam();
  const Floats qkv = qkv_of(c), dout = dout_of(c);
  const int before = omp_get_max_threads();
  std::vector<Result> results;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    results.push_back(run(c, qkv, dout));
  }
  omp_set_num_threads(before);
  for (const Result& r : results) {
    EXPECT_EQ(r.out, results[0].out);
    EXPECT_EQ(r.lse, results[0].lse);
    EXPECT_EQ(r.dqkv, results[0].dqkv);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionCase,
                         testing::Values(Case{1, 1, 1, 1}, Case{2, 7, 3, 5, 0.2f},
                                         Case{1, 31, 1, 3, 0.5f}, Case{2, 33, 2, 16, 0.1f, 12},
                                         Case{2, 64, 2, 32, 0.1f}, Case{1, 65, 2, 20, 0.2f},
                                         Case{1, 130, 2, 64, 0.1f, 5}, Case{1, 130, 1, 48},
                                         Case{1, 257, 1, 128, 0.3f}, Case{1, 96, 1, 33, 0.9f}),
                         [](const auto& param) {
                           const Case& c = param.param;
                           return "B" + std::to_string(c.B) + "T" + std::to_string(c.T) + "NH" +
                                  std::to_string(c.NH) + "hs" + std::to_string(c.hs) + "p" +
                                  std::to_string(static_cast<int>(c.rate * 100));
                         });

TEST(Attention, ReferenceGradientIsItsFiniteDifference) {
  const Case c{1, 9, 2, 3, 0.3f};
  const Floats dout = dout_of(c);
  const std::vector<double> x = widened(qkv_of(c));
  const Reference at = reference(c, x, dout);
  const auto value = [&](const std::vector<double>& qkv) {
    const Reference r = reference(c, qkv, dout);
    double sum = 0;
    for (std::size_t i = 0; i < r.out.size(); ++i) sum += r.out[i] * static_cast<double>(dout[i]);
    return sum;
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double h = 1e-5;
    std::vector<double> up = x, down = x;
    up[i] += h, down[i] -= h;
    EXPECT_NEAR(at.dqkv[i], (value(up) - value(down)) / (2 * h), 1e-8);
  }
}

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
  EXPECT_THROW(ops::make_attention(4)->infer({&wrong, 1}), engine::Error);
  EXPECT_THROW(ops::make_attention(0), engine::Error);
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
