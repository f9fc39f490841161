#include "engine/parallel.h"
#include "ops/ops.h"

namespace ops {
namespace {

using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::require;
using engine::Shape;

constexpr std::int64_t kChunk = 4096;

// a, b, out of one shape
class AddOp final : public engine::Op {
 public:
  std::string_view name() const override { return "add"; }

  Shape infer(std::span<const Shape> in) override {
    require(in[0] == in[1], "[add] a ", in[0], " + b ", in[1], ": shapes differ");
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const Frame& f) const override {
    const float *a = f.in[0].f32(), *b = f.in[1].f32();
    float* out = f.out.f32();
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
#pragma omp simd
      for (std::int64_t i = i0; i < i1; ++i) out[i] = a[i] + b[i];
    });
  }

  // da += dout, db += dout
  void backward(const Frame& f) const override {
    const float* dout = f.dout.f32();
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      for (const engine::Grad& grad : f.din) {
        float* d = grad.f32();
        if (!grad || d == dout) continue;
        if (grad.add) {
#pragma omp simd
          for (std::int64_t i = i0; i < i1; ++i) d[i] += dout[i];
        } else {
          std::copy(dout + i0, dout + i1, d + i0);
        }
      }
    });
  }

  Cost cost(Pass) const override {
    const auto n = static_cast<double>(n_);
    return {n, 12 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    n.replayable = true;
    n.pass_through = 0b11;
    return n;
  }

 private:
  std::int64_t n_ = 0;
};

}  // namespace

Ref add(Tape& tape, std::string_view name, Ref a, Ref b) {
  return tape.push(name, std::make_unique<AddOp>(), {a, b});
}

}  // namespace ops
