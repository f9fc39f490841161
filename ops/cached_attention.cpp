#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/ops.h"

namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

// qkv (B,n,3C), cache (B,P,2C), length (1) i32, out (B,n,C); scratch: scores (B·NH,P + n)
class CachedAttentionOp final : public engine::Op {
 public:
  explicit CachedAttentionOp(std::int64_t n_head) : heads_(n_head) {
    require(n_head > 0, "[cached_attention] n_head must be positive, got ", n_head);
  }
  std::string_view name() const override { return "cached_attention"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape &qkv = in[0], &cache = in[1];
    require(qkv.rank() == 3 && qkv[2] % (3 * heads_) == 0, "[cached_attention] qkv ", qkv,
            ": need (B,n,3C), C a multiple of ", heads_, " heads");
    b_ = qkv[0], n_ = qkv[1], c_ = qkv[2] / 3, hs_ = c_ / heads_;
    require(cache.rank() == 3 && cache[0] == b_ && cache[2] == 2 * c_, "[cached_attention] cache ",
            cache, ": need (", b_, ",P,", 2 * c_, ")");
    require(in[2] == Shape{1}, "[cached_attention] length ", in[2], ": need (1)");
    p_ = cache[1];
    return {b_, n_, c_};
  }

  // One task per (b,h), by one thread in fixed order.
  void forward(const Frame& f) const override {
    const std::int64_t length = f.in[2].i32()[0];
    base::parallel_chunks(b_ * heads_, 1, [&](std::int64_t task, std::int64_t, std::int64_t) {
      const std::int64_t b = task / heads_, h = task % heads_ * hs_;
      const float *rows = f.in[0].f32() + b * n_ * 3 * c_ + h,
                  *cache = f.in[1].f32() + b * p_ * 2 * c_ + h;
      float* weights = f.scratch_as<float>() + task * (p_ + n_);
      const auto key = [&](std::int64_t j) {
        return j < length ? cache + j * 2 * c_ : rows + (j - length) * 3 * c_ + c_;
      };
      for (std::int64_t i = 0; i < n_; ++i)
        attend(rows + i * 3 * c_, key, length + i + 1, weights,
               f.out.f32() + (b * n_ + i) * c_ + h);
    });
  }

  void backward(const Frame&) const override {
    throw base::Error("[cached_attention] is for evaluation alone");
  }

  Cost cost(Pass pass) const override {
    if (pass == Pass::kBackward) return {};
    const auto rows = static_cast<double>(b_ * n_ * c_), keys = static_cast<double>(p_);
    return {4 * rows * keys, 8 * static_cast<double>(b_ * p_ * c_) + 16 * rows};
  }

  Needs needs() const override {
    Needs n;
    n.scratch_forward = static_cast<std::size_t>(b_ * heads_ * (p_ + n_)) * sizeof(float);
    return n;
  }

 private:
  /// out (hs) = softmax(q·Kᵀ/√hs)·V over `keys` keys, each with its value C numbers behind it.
  template <class Key>
  void attend(const float* q, const Key& key, std::int64_t keys, float* weights, float* out) const {
    const float scale = 1 / std::sqrt(static_cast<float>(hs_));
    float top = -INFINITY, sum = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      const float* k = key(j);
      float dot = 0;
#pragma omp simd reduction(+ : dot)
      for (std::int64_t c = 0; c < hs_; ++c) dot += q[c] * k[c];
      weights[j] = scale * dot;
      top = std::max(top, weights[j]);
    }
    std::fill_n(out, hs_, 0.0F);
    for (std::int64_t j = 0; j < keys; ++j) {
      const float w = std::exp(weights[j] - top), *v = key(j) + c_;
      sum += w;
#pragma omp simd
      for (std::int64_t c = 0; c < hs_; ++c) out[c] += w * v[c];
    }
#pragma omp simd
    for (std::int64_t c = 0; c < hs_; ++c) out[c] /= sum;
  }

  std::int64_t heads_, b_ = 0, n_ = 0, c_ = 0, hs_ = 0, p_ = 0;
};

}  // namespace

Ref cached_attention(Tape& tape, std::string_view name, Ref qkv, Ref cache, Ref length,
                     std::int64_t n_head) {
  return tape.push(name, std::make_unique<CachedAttentionOp>(n_head), {qkv, cache, length});
}

}  // namespace ops
