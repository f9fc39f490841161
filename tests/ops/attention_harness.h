// Attention alone, on poisoned memory, and its definition in double precision.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "engine/rng.h"
#include "ops/attention.h"

namespace tests::attention {

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

inline constexpr engine::Step kStep{.seed = 7, .index = 3, .first_row = 0, .progress = 0};
inline constexpr std::uint32_t kSite = engine::site_id("h.1.attn_weights");

inline Floats noise(std::int64_t n, std::uint32_t site, float scale) {
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
inline Result run(const Case& c, const Floats& qkv, const Floats& dout, bool hook = true,
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
inline double multiplier(const Case& c, std::uint64_t b, std::uint64_t h, std::uint64_t i,
                         std::uint64_t j) {
  const auto threshold = static_cast<std::uint32_t>(std::lround((1.0 - c.rate) * 65536));
  const auto NH = static_cast<std::uint64_t>(c.NH), T = static_cast<std::uint64_t>(c.T);
  const std::uint64_t e = ops::attention_mask_element((c.first_row + b) * NH + h, T, i, j);
  const engine::Key key = engine::stream_key(kStep.seed, engine::Stream::kMask);
  return engine::mask_bits(key, kSite, kStep.index, e) < threshold ? 65536.0 / threshold : 0;
}

/// The definition, in double precision, a (T,T) matrix of weights at a time.
inline Reference reference(const Case& c, const std::vector<double>& qkv, const Floats& dout) {
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

inline std::vector<double> widened(const Floats& x) { return {x.begin(), x.end()}; }
inline Floats qkv_of(const Case& c) { return noise(c.B * c.T * 3 * c.NH * c.hs, 1, 2); }
inline Floats dout_of(const Case& c) { return noise(c.B * c.T * c.NH * c.hs, 2, 1); }

}  // namespace tests::attention
