#include "base/parallel.h"
#include "ops/ops.h"

namespace ops {
namespace {

using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kChunk = 8192;

// out = factor·x, dx += factor·dout
class ScaleOp final : public engine::Op {
 public:
  explicit ScaleOp(float factor) : factor_(factor) {}
  std::string_view name() const override { return "scale"; }

  Shape infer(std::span<const Shape> in) override {
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const Frame& f) const override { run(f.in[0].f32(), f.out.f32(), false); }
  void backward(const Frame& f) const override { run(f.dout.f32(), f.din[0].f32(), f.din[0].add); }

  Cost cost(Pass) const override {
    const auto n = static_cast<double>(n_);
    return {n, 8 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    n.replayable = true;
    return n;
  }

 private:
  void run(const float* x, float* y, bool add) const {
    base::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      if (add) {
#pragma omp simd
        for (std::int64_t i = i0; i < i1; ++i) y[i] += factor_ * x[i];
      } else {
#pragma omp simd
        for (std::int64_t i = i0; i < i1; ++i) y[i] = factor_ * x[i];
      }
    });
  }

  float factor_;
  std::int64_t n_ = 0;
};

}  // namespace

Ref scale(Tape& tape, std::string_view name, Ref x, float factor) {
  return tape.push(name, std::make_unique<ScaleOp>(factor), {x});
}

}  // namespace ops
