#include <cmath>
#include <optional>

#include "engine/memory_plan.h"
#include "ops/lane_sums-inl.h"
#include "ops/onednn.h"
#include "ops/ops.h"
#include "ops/row_sums.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

namespace hn = simd::hn;
using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kRowChunk = 64;  // rows a partial dγ, dβ covers

// x (R,C), gamma (C), beta (C), out (R,C); saved: mean (R), variance (R)
class LayerNormOp final : public engine::Op {
 public:
  LayerNormOp(bool beta, float epsilon) : beta_(beta), epsilon_(epsilon) {}
  std::string_view name() const override { return "layernorm"; }

  Shape infer(std::span<const Shape> in) override {
    rows_ = in[0].rows();
    c_ = in[0].back();
    for (std::size_t i = 1; i < in.size(); ++i)
      require(in[i] == Shape{c_}, "[layernorm] x ", in[0], ": ", i == 1 ? "gamma " : "beta ", in[i],
              " is not ", Shape{c_});
    scratch_ = LayerNormForward::scratch_bytes(rows_, c_, beta_, epsilon_);
    return in[0];
  }

  void build(const engine::Build&) override { forward_.emplace(rows_, c_, beta_, epsilon_); }

  void forward(const Frame& f) const override {
    forward_->run(f.in[0].f32(), f.in[1].f32(), beta_ ? f.in[2].f32() : nullptr, f.out.f32(),
                  mean(f), variance(f), f.scratch.data());
  }

  // x̂ = (x − μ)·r with r = 1/√(σ²+ε), g = dout·γ:
  // dx += r·(g − mean(g) − x̂·mean(g·x̂)), dγ += Σ dout·x̂, dβ += Σ dout
  void backward(const Frame& f) const override {
    float* partial = f.scratch_as<float>();
    const RowSums sums = this->sums();
    sums.run(partial, [&](std::int64_t r, float* dgamma) {
      backward_row(f, r, dgamma, beta_ ? dgamma + sums.stride() : nullptr);
    });
    sums.give(f.din[1], partial, 0);
    if (beta_) sums.give(f.din[2], partial, 1);
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * c_);
    return pass == Pass::kForward ? Cost{7 * n, 8 * n} : Cost{14 * n, 12 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b011;
    n.replayable = true;
    n.saved = engine::align_up(static_cast<std::size_t>(rows_) * 4) * 2;
    n.scratch_forward = scratch_;
    n.scratch_backward = sums().bytes();
    return n;
  }

 private:
  RowSums sums() const { return {rows_, kRowChunk, c_, beta_ ? 2 : 1}; }
  static float* mean(const Frame& f) { return f.saved_as<float>(); }
  static float* variance(const Frame& f) { return f.saved_as<float>(f.saved.size() / 2); }

  void backward_row(const Frame& f, std::int64_t r, float* dgamma, float* dbeta) const {
    const float *x = f.in[0].f32() + r * c_, *gamma = f.in[1].f32();
    const float* dout = f.dout.f32() + r * c_;
    const float mu = mean(f)[r], rstd = 1.0F / std::sqrt(variance(f)[r] + epsilon_);
    const auto [sum_g, sum_gx] =
        simd::lane_sums<2>(c_, [=](auto d, std::int64_t j, auto* sums) HWY_ATTR {
          const auto dy = hn::LoadU(d, dout + j), g = hn::Mul(dy, hn::LoadU(d, gamma + j));
          const auto xhat = hn::Mul(hn::Sub(hn::LoadU(d, x + j), hn::Set(d, mu)), hn::Set(d, rstd));
          sums[0] = hn::Add(sums[0], g);
          sums[1] = hn::MulAdd(g, xhat, sums[1]);
          hn::StoreU(hn::MulAdd(dy, xhat, hn::LoadU(d, dgamma + j)), d, dgamma + j);
        });
    if (dbeta != nullptr) {
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j) dbeta[j] += dout[j];
    }
    if (!f.din[0]) return;
    float* dx = f.din[0].f32() + r * c_;
    const float scale = 1.0F / static_cast<float>(c_);
    const float mean_g = sum_g * scale, mean_gx = sum_gx * scale;
    if (f.din[0].add) {
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j)
        dx[j] += rstd * (dout[j] * gamma[j] - mean_g - (x[j] - mu) * rstd * mean_gx);
    } else {
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j)
        dx[j] = rstd * (dout[j] * gamma[j] - mean_g - (x[j] - mu) * rstd * mean_gx);
    }
  }

  bool beta_;
  float epsilon_;
  std::int64_t rows_ = 0, c_ = 0;
  std::size_t scratch_ = 0;
  std::optional<LayerNormForward> forward_;
};

}  // namespace

Ref layernorm(Tape& tape, std::string_view name, Ref x, Ref gamma, Ref beta, float epsilon) {
  std::vector<Ref> in = {x, gamma};
  if (beta) in.push_back(beta);
  return tape.push(name, std::make_unique<LayerNormOp>(static_cast<bool>(beta), epsilon),
                   std::move(in));
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
