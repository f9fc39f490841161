#include "ops/ops.h"
#include "ops/rms-inl.h"
#include "ops/row_sums.h"

namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kRowChunk = 32;  // rows a partial dγ covers

// qkv, out (R,3C): q, k, v, each C = NH·hs; gamma_q, gamma_k (hs); saved: r (R,2·NH)
class QkNormOp final : public engine::Op {
 public:
  explicit QkNormOp(float epsilon) : epsilon_(epsilon) {}
  std::string_view name() const override { return "qk_norm"; }

  Shape infer(std::span<const Shape> in) override {
    rows_ = in[0].rows();
    c_ = in[0].back() / 3;
    hs_ = in[1].back();
    require(in[0].back() == 3 * c_ && c_ % hs_ == 0, "[qk_norm] qkv ", in[0],
            ": the last dimension is not 3 × heads × ", hs_);
    require(in[1] == Shape{hs_} && in[2] == Shape{hs_}, "[qk_norm] qkv ", in[0], ": gamma_q ",
            in[1], " and gamma_k ", in[2], " are not both (hs)");
    heads_ = 2 * (c_ / hs_);
    return in[0];
  }

  // For each head's q and k: out = x·r·γ, r = 1/√(mean(x²) + ε); v as it is.
  void forward(const Frame& f) const override {
    const float* qkv = f.in[0].f32();
    float *out = f.out.f32(), *saved = f.saved_as<float>();
    for_rows(rows_, kRowChunk, [&](std::int64_t r) {
      for (std::int64_t h = 0; h < heads_; ++h) {
        const std::int64_t at = r * 3 * c_ + h * hs_;
        saved[r * heads_ + h] = rms_forward(qkv + at, gamma(f, h), hs_, epsilon_, out + at);
      }
      std::copy_n(qkv + (3 * r + 2) * c_, c_, out + (3 * r + 2) * c_);
    });
  }

  // dx of each head as rmsnorm's, dγ += Σ over rows and heads; dv += dout
  void backward(const Frame& f) const override {
    const float *qkv = f.in[0].f32(), *dout = f.dout.f32(), *saved = f.saved_as<float>();
    float *partial = f.scratch_as<float>(), *dx = f.din[0].f32();
    const bool add = f.din[0].add;
    const RowSums sums = this->sums();
    sums.run(partial, [&](std::int64_t r, float* dq) {
      for (std::int64_t h = 0; h < heads_; ++h) {
        const std::int64_t at = r * 3 * c_ + h * hs_;
        rms_backward(qkv + at, gamma(f, h), dout + at, hs_, saved[r * heads_ + h],
                     is_q(h) ? dq : dq + sums.stride(), dx == nullptr ? nullptr : dx + at, add);
      }
      if (dx == nullptr) return;
      const float* from = dout + (3 * r + 2) * c_;
      float* to = dx + (3 * r + 2) * c_;
      if (!add) return static_cast<void>(std::copy_n(from, c_, to));
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j) to[j] += from[j];
    });
    sums.give(f.din[1], partial, 0);
    sums.give(f.din[2], partial, 1);
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * c_);
    return pass == Pass::kForward ? Cost{8 * n, 24 * n} : Cost{18 * n, 32 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b111;
    n.replayable = true;
    n.saved = static_cast<std::size_t>(rows_ * heads_) * 4;
    n.scratch_backward = sums().bytes();
    return n;
  }

 private:
  RowSums sums() const { return {rows_, kRowChunk, hs_, 2}; }
  bool is_q(std::int64_t h) const { return h < heads_ / 2; }
  const float* gamma(const Frame& f, std::int64_t h) const { return f.in[is_q(h) ? 1 : 2].f32(); }

  float epsilon_;
  std::int64_t rows_ = 0, c_ = 0, hs_ = 0, heads_ = 0;  // heads of q and k together
};

}  // namespace

Ref qk_norm(Tape& tape, std::string_view name, Ref qkv, Ref gamma_q, Ref gamma_k, float epsilon) {
  return tape.push(name, std::make_unique<QkNormOp>(epsilon), {qkv, gamma_q, gamma_k});
}

}  // namespace ops
