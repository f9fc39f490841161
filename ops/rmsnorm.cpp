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

constexpr std::int64_t kRowChunk = 64;  // rows a partial dγ covers

// x (R,C), gamma (C), out (R,C); saved: r (R)
class RmsNormOp final : public engine::Op {
 public:
  explicit RmsNormOp(float epsilon) : epsilon_(epsilon) {}
  std::string_view name() const override { return "rmsnorm"; }

  Shape infer(std::span<const Shape> in) override {
    rows_ = in[0].rows();
    c_ = in[0].back();
    require(in[1] == Shape{c_}, "[rmsnorm] x ", in[0], ": gamma ", in[1], " is not ", Shape{c_});
    return in[0];
  }

  void forward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *gamma = f.in[1].f32();
    for_rows(rows_, kRowChunk, [&](std::int64_t r) {
      f.saved_as<float>()[r] = rms_forward(x + r * c_, gamma, c_, epsilon_, f.out.f32() + r * c_);
    });
  }

  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *gamma = f.in[1].f32(), *dout = f.dout.f32();
    float* partial = f.scratch_as<float>();
    sums().run(partial, [&](std::int64_t r, float* dgamma) {
      rms_backward(x + r * c_, gamma, dout + r * c_, c_, f.saved_as<float>()[r], dgamma,
                   f.din[0] ? f.din[0].f32() + r * c_ : nullptr, f.din[0].add);
    });
    sums().give(f.din[1], partial);
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * c_);
    return pass == Pass::kForward ? Cost{4 * n, 8 * n} : Cost{9 * n, 12 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b11;
    n.replayable = true;
    n.saved = static_cast<std::size_t>(rows_) * 4;
    n.scratch_backward = sums().bytes();
    return n;
  }

 private:
  RowSums sums() const { return {rows_, kRowChunk, c_}; }

  float epsilon_;
  std::int64_t rows_ = 0, c_ = 0;
};

}  // namespace

Ref rmsnorm(Tape& tape, std::string_view name, Ref x, Ref gamma, float epsilon) {
  return tape.push(name, std::make_unique<RmsNormOp>(epsilon), {x, gamma});
}

}  // namespace ops
