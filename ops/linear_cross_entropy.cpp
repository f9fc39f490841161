// The head and its loss in chunks of rows: the logits of a chunk become their own gradient in place
// and are spent at once, so the whole (R,V) never exists and no matmul runs twice.
#include <optional>

#include "base/parallel.h"
#include "engine/memory_plan.h"
#include "ops/gemm.h"
#include "ops/loss_rows-inl.h"
#include "ops/ops.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

using base::chunks;
using base::require;
using engine::align_up;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

// x (R,C), w (V,C), targets (R) i32, out (W): W equal groups of consecutive rows
class LinearCrossEntropyOp final : public engine::Op {
 public:
  LinearCrossEntropyOp(std::int64_t windows, std::int64_t chunk_bytes)
      : windows_(windows), chunk_bytes_(chunk_bytes) {}
  std::string_view name() const override { return "linear_cross_entropy"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape &x = in[0], &w = in[1];
    require(x.rank() >= 2 && w.rank() == 2 && x.back() == w[1], "[linear_cross_entropy] x ", x,
            " · w ", w, "ᵀ: inner dimensions differ");
    require(in[2].numel() == x.rows(), "[linear_cross_entropy] x ", x, ", targets ", in[2],
            ": one target a row is needed");
    rows_ = x.rows();
    require(windows_ >= 1 && rows_ % windows_ == 0, "[linear_cross_entropy] x ", x, ": ", windows_,
            " windows do not divide the rows");
    c_ = x.back();
    v_ = w[0];
    ld_ = chunks(v_, 16) * 16;
    const std::int64_t fit = std::max<std::int64_t>(chunk_bytes_ / (4 * ld_), 1);
    const std::int64_t count = chunks(rows_, fit);
    // Chunks of equal size as far as multiples of 16 allow.
    chunk_ = std::min(rows_, chunks(chunks(rows_, count), 16) * 16);
    whole_.emplace(matmuls(chunk_));
    if (rows_ % chunk_ != 0) tail_.emplace(matmuls(rows_ % chunk_));
    return {windows_};
  }

  void build(const engine::Build& b) override {
    require(windows_ == 1 || !(b.wants[0] || b.wants[1]),
            "[linear_cross_entropy] losses of windows are for evaluation: they have no gradient");
    for (auto* part : {&whole_, &tail_}) {
      if (!*part) continue;
      (*part)->forward.build(true, false, *b.tuning);
      if (b.wants[0]) (*part)->dx.build(true, true, *b.tuning);
      if (b.wants[1]) (*part)->dw.build(true, true, *b.tuning);
    }
  }

  std::string describe(Pass pass) const override {
    if (pass == Pass::kForward) return whole_->forward.describe();
    return ops::describe(std::array{NamedGemm{"logits", &whole_->forward},
                                    NamedGemm{"dx", &whole_->dx}, NamedGemm{"dw", &whole_->dw}});
  }

  // loss[w] = mean over the window's counted rows of lse − logit[target], logits = x · wᵀ
  void forward(const Frame& f) const override {
    run(
        f, [](float*, float, std::int32_t) {}, [](const Matmuls&, std::int64_t, const float*) {});
  }

  // dlogits = dout/n · (softmax(logits) − onehot(target)); dx += dlogits · w, dw += dlogitsᵀ · x
  void backward(const Frame& f) const override {
    const auto n = static_cast<float>(counted_rows(f.in[2].i32(), rows_));
    const float scale = *f.dout.f32() / n;
    run(
        f,
        [&](float* row, float lse, std::int32_t target) {
          if (target < 0) return static_cast<void>(std::fill_n(row, v_, 0.0F));
          for_row(v_, [=](auto at) HWY_ATTR {
            const auto p = simd::bounded_exp(
                simd::kF32, simd::hn::Sub(at.load(row), simd::hn::Set(simd::kF32, lse)));
            at.store(simd::hn::Mul(simd::hn::Set(simd::kF32, scale), p), row);
          });
          row[target] -= scale;
        },
        [&](const Matmuls& part, std::int64_t r0, const float* dlogits) {
          std::byte* scratch = gemm_scratch(f);
          if (f.din[0])
            part.dx.run(dlogits, f.in[1].f32(), nullptr, f.din[0].f32() + r0 * c_, scratch,
                        f.din[0].add);
          if (f.din[1])
            part.dw.run(dlogits, f.in[0].f32() + r0 * c_, nullptr, f.din[1].f32(), scratch,
                        f.din[1].add || r0 > 0);
        });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * v_);
    const Matmuls& p = *whole_;
    const double share = static_cast<double>(rows_) / static_cast<double>(chunk_);
    const Cost forward{share * p.forward.flops() + 16 * n, share * p.forward.bytes() + 4 * n};
    if (pass == Pass::kForward) return forward;
    return {forward.flops + share * (p.dx.flops() + p.dw.flops()) + 16 * n,
            forward.bytes + share * (p.dx.bytes() + p.dw.bytes()) + 4 * n};
  }

  Needs needs() const override {
    Needs n;
    n.terminal = true;
    n.inputs = 0b111;
    const std::size_t rest = gemm_scratch_at();
    for (const auto* part : {&whole_, &tail_}) {
      if (!*part) continue;
      const auto& p = **part;
      n.scratch_forward = std::max(n.scratch_forward, rest + p.forward.scratch_bytes());
      n.scratch_backward = std::max({n.scratch_backward, rest + p.forward.scratch_bytes(),
                                     rest + p.dx.scratch_bytes(), rest + p.dw.scratch_bytes()});
    }
    return n;
  }

 private:
  struct Matmuls {
    Gemm forward, dx, dw;
  };

  Matmuls matmuls(std::int64_t rows) const {
    return {
        Gemm({.m = rows, .n = v_, .k = c_, .a_row = c_, .b_row = 1, .b_col = c_, .c_row = ld_}),
        Gemm({.m = rows, .n = c_, .k = v_, .a_row = ld_, .b_row = c_, .c_row = c_}),
        Gemm({.m = v_, .n = c_, .k = rows, .a_row = 1, .a_col = ld_, .b_row = c_, .c_row = c_})};
  }

  std::size_t losses_bytes() const { return static_cast<std::size_t>(rows_) * sizeof(double); }
  std::size_t logits_bytes() const {
    return static_cast<std::size_t>(chunk_ * ld_) * sizeof(float);
  }
  std::int64_t window() const { return rows_ / windows_; }  // rows of one
  std::size_t gemm_scratch_at() const { return align_up(losses_bytes()) + logits_bytes(); }
  std::byte* gemm_scratch(const Frame& f) const { return f.scratch.data() + gemm_scratch_at(); }

  // For each chunk: logits, then each_row(logits of a row, its log-sum-exp, its target) for all of
  // its rows, then after(matmuls, first row, logits). Writes the losses.
  template <class Row, class After>
  void run(const Frame& f, const Row& each_row, const After& after) const {
    const std::int32_t* targets = f.in[2].i32();
    double* losses = f.scratch_as<double>();
    auto* logits = f.scratch_as<float>(align_up(losses_bytes()));
    for (std::int64_t r0 = 0; r0 < rows_; r0 += chunk_) {
      const std::int64_t rows = std::min(chunk_, rows_ - r0);
      const Matmuls& part = rows == chunk_ ? *whole_ : *tail_;
      part.forward.run(f.in[0].f32() + r0 * c_, f.in[1].f32(), nullptr, logits, gemm_scratch(f),
                       false);
      base::parallel_chunks(
          rows, kLossRowChunk, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
            for (std::int64_t r = begin; r < end; ++r) {
              float* row = logits + r * ld_;
              const std::int32_t target = targets[r0 + r];
              const float lse = target < 0 ? 0 : log_sum_exp(row, v_);
              losses[r0 + r] =
                  target < 0 ? 0 : static_cast<double>(lse) - static_cast<double>(row[target]);
              each_row(row, lse, target);
            }
          });
      after(part, r0, logits);
    }
    for (std::int64_t w = 0; w < windows_; ++w) {
      double loss = 0;
      for (std::int64_t r = w * window(); r < (w + 1) * window(); ++r) loss += losses[r];
      const std::int64_t n = counted_rows(targets + w * window(), window());
      f.out.f32()[w] = static_cast<float>(loss / static_cast<double>(n));
    }
  }

  std::int64_t windows_, chunk_bytes_, rows_ = 0, c_ = 0, v_ = 0;
  std::int64_t ld_ = 0;     // row stride of the logits
  std::int64_t chunk_ = 0;  // rows of all chunks but the last
  std::optional<Matmuls> whole_, tail_;
};

}  // namespace

Ref linear_cross_entropy(Tape& tape, std::string_view name, Ref x, Ref w, Ref targets,
                         std::int64_t windows, std::int64_t chunk_bytes) {
  return tape.push(name, std::make_unique<LinearCrossEntropyOp>(windows, chunk_bytes),
                   {x, w, targets});
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
