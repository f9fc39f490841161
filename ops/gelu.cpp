#include "engine/parallel.h"
#include "ops/math.h"
#include "ops/ops.h"

namespace ops {
namespace {

using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kChunk = 4096;
constexpr float kTwoRoot = 1.5957691216F;  // 2·√(2/π)
constexpr float kCube = 0.044715F;

// gelu(x) = ½x(1 + tanh(u)) = x·σ(2u), u = √(2/π)(x + 0.044715x³)
class GeluOp final : public engine::Op {
 public:
  std::string_view name() const override { return "gelu"; }

  Shape infer(std::span<const Shape> in) override {
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const Frame& f) const override {
    const float* x = f.in[0].f32();
    float* out = f.out.f32();
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
#pragma omp simd
      for (std::int64_t i = i0; i < i1; ++i)
        out[i] = x[i] * sigmoid(kTwoRoot * (x[i] + kCube * x[i] * x[i] * x[i]));
    });
  }

  // dx += dout·(s + x·s·(1−s)·2u′), s = σ(2u)
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    float* dx = f.din[0].f32();
    const bool add = f.din[0].add;
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      const auto d = [&](std::int64_t i) {
        const float v = x[i], v2 = v * v;
        const float s = sigmoid(kTwoRoot * v * (1.0F + kCube * v2));
        return dout[i] * s * (1.0F + v * (1.0F - s) * kTwoRoot * (1.0F + 3 * kCube * v2));
      };
      if (add) {
#pragma omp simd
        for (std::int64_t i = i0; i < i1; ++i) dx[i] += d(i);
      } else {
#pragma omp simd
        for (std::int64_t i = i0; i < i1; ++i) dx[i] = d(i);
      }
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(n_);
    return pass == Pass::kForward ? Cost{20 * n, 8 * n} : Cost{30 * n, 12 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b1;
    n.replayable = true;
    n.cheap = true;
    return n;
  }

 private:
  std::int64_t n_ = 0;
};

}  // namespace

Ref gelu(Tape& tape, std::string_view name, Ref x) {
  return tape.push(name, std::make_unique<GeluOp>(), {x});
}

}  // namespace ops
