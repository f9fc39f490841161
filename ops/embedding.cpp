#include <utility>
#include <vector>

#include "base/parallel.h"
#include "ops/ops.h"

namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::DType;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

constexpr std::int64_t kColChunk = 16;  // channels one task of the wte gradient owns
constexpr std::int64_t kRowChunk = 32;

// tokens (B,T) i32, wte (V,C), wpe (P,C) [, first (1) i32], out (B,T,C)
class EmbeddingOp final : public engine::Op {
 public:
  std::string_view name() const override { return "embedding"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape &tokens = in[0], &wte = in[1], &wpe = in[2];
    require(tokens.rank() == 2 && wte.rank() == 2 && wpe.rank() == 2 && wte[1] == wpe[1],
            "[embedding] tokens ", tokens, ", wte ", wte, ", wpe ", wpe,
            ": need (B,T), (V,C) and (P,C)");
    require(tokens[1] <= wpe[0], "[embedding] tokens ", tokens, ": longer than the ", wpe[0],
            " positions of wpe ", wpe);
    require(in.size() == 3 || in[3] == Shape{1}, "[embedding] first: need (1)");
    b_ = tokens[0];
    t_ = tokens[1];
    v_ = wte[0];
    c_ = wte[1];
    return {b_, t_, c_};
  }

  void forward(const Frame& f) const override {
    const std::int32_t* tokens = f.in[0].i32();
    const float *wte = f.in[1].f32(), *wpe = f.in[2].f32();
    float* out = f.out.f32();
    const std::int64_t from = first(f);
    base::parallel_chunks(b_ * t_, kRowChunk, [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
      for (std::int64_t r = r0; r < r1; ++r) {
        const float *token = wte + tokens[r] * c_, *position = wpe + (from + r % t_) * c_;
#pragma omp simd
        for (std::int64_t j = 0; j < c_; ++j) out[r * c_ + j] = token[j] + position[j];
      }
    });
  }

  // dwte[token] += dout, dwpe[t] += dout: each task owns some channels and walks all rows in order.
  void backward(const Frame& f) const override {
    const std::int32_t* tokens = f.in[0].i32();
    const float* dout = f.dout.f32();
    const std::int64_t from = first(f);
    base::parallel_chunks(c_, kColChunk, [&](std::int64_t, std::int64_t j0, std::int64_t j1) {
      for (const int which : {1, 2}) {
        const engine::Grad& grad = f.din[static_cast<std::size_t>(which)];
        if (!grad) continue;
        float* d = grad.f32();
        if (!grad.add) {
          const std::int64_t rows = (*grad.view.shape)[0];
          for (std::int64_t i = 0; i < rows; ++i) std::fill(d + i * c_ + j0, d + i * c_ + j1, 0.0F);
        }
        for (std::int64_t r = 0; r < b_ * t_; ++r) {
          float* row = d + (which == 1 ? tokens[r] : from + r % t_) * c_;
#pragma omp simd
          for (std::int64_t j = j0; j < j1; ++j) row[j] += dout[r * c_ + j];
        }
      }
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(b_ * t_ * c_);
    return pass == Pass::kForward ? Cost{n, 12 * n} : Cost{2 * n, 20 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b1001;
    return n;
  }

 private:
  static std::int64_t first(const Frame& f) { return f.in.size() > 3 ? f.in[3].i32()[0] : 0; }

  std::int64_t b_ = 0, t_ = 0, v_ = 0, c_ = 0;
};

}  // namespace

Ref embedding(Tape& tape, std::string_view name, Ref tokens, Ref wte, Ref wpe, Ref first) {
  std::vector<Ref> in = {tokens, wte, wpe};
  if (first) in.push_back(first);
  return tape.push(name, std::make_unique<EmbeddingOp>(), std::move(in));
}

}  // namespace ops
