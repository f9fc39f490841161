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

constexpr std::int64_t kColChunk = 16;  // channels one task of the gradients owns
constexpr std::int64_t kRowChunk = 32;

// features (B,T,F) f32, w (F,C), wpe (P,C), out (B,T,C)
class FeatureEmbeddingOp final : public engine::Op {
 public:
  std::string_view name() const override { return "feature_embedding"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape &x = in[0], &w = in[1], &wpe = in[2];
    require(x.rank() == 3 && w.rank() == 2 && wpe.rank() == 2 && x[2] == w[0] && w[1] == wpe[1],
            "[feature_embedding] features ", x, ", w ", w, ", wpe ", wpe,
            ": need (B,T,F), (F,C) and (P,C)");
    require(x[1] <= wpe[0], "[feature_embedding] features ", x, ": longer than the ", wpe[0],
            " positions of wpe ", wpe);
    rows_ = x[0] * x[1];
    t_ = x[1];
    f_ = x[2];
    c_ = w[1];
    return {x[0], t_, c_};
  }

  void build(const engine::Build& b) override {
    require(!b.wants[0], "[feature_embedding] features have no gradient");
  }

  // out[b,t] = wpe[t] + Σ_f features[b,t,f] · w[f]
  void forward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *w = f.in[1].f32(), *wpe = f.in[2].f32();
    float* out = f.out.f32();
    base::parallel_chunks(rows_, kRowChunk, [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
      for (std::int64_t r = r0; r < r1; ++r) {
        float* row = out + r * c_;
        std::copy_n(wpe + r % t_ * c_, c_, row);
        for (std::int64_t i = 0; i < f_; ++i) add_row(x[r * f_ + i], w + i * c_, 0, c_, row);
      }
    });
  }

  // dw[f] += features[·,f] · dout, dwpe[t] += dout: each task owns some channels and walks all rows
  // in order.
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    base::parallel_chunks(c_, kColChunk, [&](std::int64_t, std::int64_t j0, std::int64_t j1) {
      for (const int which : {1, 2}) {
        const engine::Grad& grad = f.din[static_cast<std::size_t>(which)];
        if (!grad) continue;
        float* d = grad.f32();
        if (!grad.add)
          for (std::int64_t i = 0; i < (*grad.view.shape)[0]; ++i)
            std::fill(d + i * c_ + j0, d + i * c_ + j1, 0.0F);
        for (std::int64_t r = 0; r < rows_; ++r) {
          if (which == 1)
            for (std::int64_t i = 0; i < f_; ++i)
              add_row(x[r * f_ + i], dout + r * c_, j0, j1, d + i * c_);
          else
            add_row(1, dout + r * c_, j0, j1, d + r % t_ * c_);
        }
      }
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * c_), f = static_cast<double>(f_);
    return pass == Pass::kForward ? Cost{2 * f * n + n, 8 * n} : Cost{2 * f * n + n, 12 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b001;
    return n;
  }

 private:
  /// to[j] += factor·from[j] for j in [j0, j1)
  static void add_row(float factor, const float* from, std::int64_t j0, std::int64_t j1,
                      float* to) {
#pragma omp simd
    for (std::int64_t j = j0; j < j1; ++j) to[j] += factor * from[j];
  }

  std::int64_t rows_ = 0, t_ = 0, f_ = 0, c_ = 0;
};

}  // namespace

Ref feature_embedding(Tape& tape, std::string_view name, Ref features, Ref w, Ref wpe) {
  return tape.push(name, std::make_unique<FeatureEmbeddingOp>(), {features, w, wpe});
}

}  // namespace ops
