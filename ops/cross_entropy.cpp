#include "base/parallel.h"
#include "ops/loss_rows-inl.h"
#include "ops/ops.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

// logits (R,V), targets (R) i32, out (1); saved: log-sum-exp (R)
class CrossEntropyOp final : public engine::Op {
 public:
  std::string_view name() const override { return "cross_entropy"; }

  Shape infer(std::span<const Shape> in) override {
    rows_ = in[0].rows();
    v_ = in[0].back();
    require(in[0].rank() >= 2 && in[1].numel() == rows_, "[cross_entropy] logits ", in[0],
            ", targets ", in[1], ": one target a row is needed");
    return {1};
  }

  // loss = mean over counted rows of lse − logit[target], lse = log Σ exp(logit)
  void forward(const Frame& f) const override {
    const float* logits = f.in[0].f32();
    const std::int32_t* targets = f.in[1].i32();
    float* lse = f.saved_as<float>();
    base::parallel_chunks(rows_, kLossRowChunk,
                          [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
                            for (std::int64_t r = r0; r < r1; ++r) {
                              lse[r] = log_sum_exp(logits + r * v_, v_);
                            }
                          });
    double loss = 0;
    for (std::int64_t r = 0; r < rows_; ++r)
      if (targets[r] >= 0)
        loss += static_cast<double>(lse[r]) - static_cast<double>(logits[r * v_ + targets[r]]);
    *f.out.f32() = static_cast<float>(loss / static_cast<double>(counted_rows(targets, rows_)));
  }

  // dlogits += dout/n · (softmax(logits) − onehot(target))
  void backward(const Frame& f) const override {
    const float* logits = f.in[0].f32();
    const std::int32_t* targets = f.in[1].i32();
    const float* lse = f.saved_as<float>();
    float* d = f.din[0].f32();
    const bool add = f.din[0].add;
    const float scale = *f.dout.f32() / static_cast<float>(counted_rows(targets, rows_));
    base::parallel_chunks(rows_, kLossRowChunk,
                          [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
                            for (std::int64_t r = r0; r < r1; ++r) {
                              const float* row = logits + r * v_;
                              float* drow = d + r * v_;
                              const bool counts = targets[r] >= 0;
                              if (!add) std::fill_n(drow, v_, 0.0F);
                              if (!counts) continue;
                              add_softmax(row, lse[r], scale, v_, drow);
                              drow[targets[r]] -= scale;
                            }
                          });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * v_);
    return pass == Pass::kForward ? Cost{16 * n, 4 * n} : Cost{16 * n, 8 * n};
  }

  Needs needs() const override {
    Needs n;
    n.saved = static_cast<std::size_t>(rows_) * 4;
    return n;
  }

 private:
  std::int64_t rows_ = 0, v_ = 0;
};

}  // namespace

Ref cross_entropy(Tape& tape, std::string_view name, Ref logits, Ref targets) {
  return tape.push(name, std::make_unique<CrossEntropyOp>(), {logits, targets});
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
