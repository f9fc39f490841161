#include <array>
#include <optional>

#include "ops/gemm.h"
#include "ops/ops.h"
#include "ops/row_sums.h"

namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kRowChunk = 128;  // rows a partial bias gradient covers

// x (R,C), w (C,OC) or (OC,C), bias (OC), out (R,OC)
class MatmulOp final : public engine::Op {
 public:
  MatmulOp(Weight layout, bool bias) : layout_(layout), bias_(bias) {}
  std::string_view name() const override { return "matmul"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape &x = in[0], &w = in[1];
    const bool in_out = layout_ == Weight::kInOut;
    require(x.rank() >= 2 && w.rank() == 2, "[matmul] x ", x, " · w ", w,
            ": x needs two dimensions or more and w two");
    require(x.back() == w[in_out ? 0 : 1], "[matmul] x ", x, " · w ", w, in_out ? "" : "ᵀ",
            ": inner dimensions differ");
    rows_ = x.rows();
    c_ = x.back();
    oc_ = w[in_out ? 1 : 0];
    require(!bias_ || in[2] == Shape{oc_}, "[matmul] x ", x, " · w ", w, ": bias has shape ",
            bias_ ? in[2] : Shape{}, ", not ", Shape{oc_});
    const std::int64_t w_c = in_out ? oc_ : 1, w_oc = in_out ? 1 : c_;  // strides of w along C, OC
    forward_.emplace(MatmulSpec{.m = rows_,
                                .n = oc_,
                                .k = c_,
                                .a_row = c_,
                                .a_col = 1,
                                .b_row = w_c,
                                .b_col = w_oc,
                                .c_row = oc_,
                                .bias = bias_});
    dx_.emplace(MatmulSpec{.m = rows_,
                           .n = c_,
                           .k = oc_,
                           .a_row = oc_,
                           .a_col = 1,
                           .b_row = w_oc,
                           .b_col = w_c,
                           .c_row = c_});
    if (in_out)
      dw_.emplace(MatmulSpec{.m = c_,
                             .n = oc_,
                             .k = rows_,
                             .a_row = 1,
                             .a_col = c_,
                             .b_row = oc_,
                             .b_col = 1,
                             .c_row = oc_});
    else
      dw_.emplace(MatmulSpec{.m = oc_,
                             .n = c_,
                             .k = rows_,
                             .a_row = 1,
                             .a_col = oc_,
                             .b_row = c_,
                             .b_col = 1,
                             .c_row = c_});
    switch (x.rank()) {
      case 2:
        return {x[0], oc_};
      case 3:
        return {x[0], x[1], oc_};
      default:
        return {x[0], x[1], x[2], oc_};
    }
  }

  void build(const engine::Build& b) override {
    forward_->build(true, false, *b.tuning);
    if (b.wants[0]) dx_->build(true, true, *b.tuning);
    if (b.wants[1]) dw_->build(true, true, *b.tuning);
  }

  std::string describe(Pass pass) const override {
    if (pass == Pass::kForward) return forward_->describe();
    return ops::describe(std::array{NamedGemm{"dx", &*dx_}, NamedGemm{"dw", &*dw_}});
  }

  void forward(const Frame& f) const override {
    forward_->run(f.in[0].f32(), f.in[1].f32(), bias_ ? f.in[2].f32() : nullptr, f.out.f32(),
                  f.scratch.data(), false);
  }

  void backward(const Frame& f) const override {
    const float* dout = f.dout.f32();
    // dx += dout · wᵀ
    if (f.din[0])
      dx_->run(dout, f.in[1].f32(), nullptr, f.din[0].f32(), f.scratch.data(), f.din[0].add);
    // dw += xᵀ · dout, for (OC,C): doutᵀ · x
    if (f.din[1]) {
      const float* x = f.in[0].f32();
      const bool in_out = layout_ == Weight::kInOut;
      dw_->run(in_out ? x : dout, in_out ? dout : x, nullptr, f.din[1].f32(), f.scratch.data(),
               f.din[1].add);
    }
    if (bias_ && f.din[2]) bias_gradient(f);
  }

  Cost cost(Pass pass) const override {
    if (pass == Pass::kForward) return {forward_->flops(), forward_->bytes()};
    return {dx_->flops() + dw_->flops(), dx_->bytes() + dw_->bytes()};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b011;
    n.replayable = true;
    n.scratch_forward = forward_->scratch_bytes();
    n.scratch_backward = std::max(dx_->scratch_bytes(), dw_->scratch_bytes());
    if (bias_) n.scratch_backward = std::max(n.scratch_backward, bias_sums().bytes());
    return n;
  }

 private:
  // dbias += Σ_rows dout, over fixed chunks of rows, added in order.
  void bias_gradient(const Frame& f) const {
    const float* dout = f.dout.f32();
    bias_sums().run(f.scratch_as<float>(), [&](std::int64_t r, float* sum) {
#pragma omp simd
      for (std::int64_t j = 0; j < oc_; ++j) sum[j] += dout[r * oc_ + j];
    });
    bias_sums().give(f.din[2], f.scratch_as<float>());
  }
  RowSums bias_sums() const { return {rows_, kRowChunk, oc_}; }

  Weight layout_;
  bool bias_;
  std::int64_t rows_ = 0, c_ = 0, oc_ = 0;
  std::optional<Gemm> forward_, dx_, dw_;
};

}  // namespace

Ref matmul(Tape& tape, std::string_view name, Ref x, Ref w, Ref bias, Weight layout) {
  std::vector<Ref> in = {x, w};
  if (bias) in.push_back(bias);
  return tape.push(name, std::make_unique<MatmulOp>(layout, static_cast<bool>(bias)),
                   std::move(in));
}

}  // namespace ops
