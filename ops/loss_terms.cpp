// What regularizers add to the training loss: out = loss + rate·term(logits, targets), the term a
// mean over the rows that count (target ≥ 0). The loss itself stays what it is and can be reported.
#include "base/parallel.h"
#include "ops/loss_rows-inl.h"
#include "ops/ops.h"

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

// logits (…,V), targets (…) i32, loss (1), out (1); saved: log-sum-exp (R)
class LossTerm : public engine::Op {
 public:
  Shape infer(std::span<const Shape> in) override {
    v_ = in[0].back();
    rows_ = in[0].rows();
    require(in[0].rank() >= 2 && in[1].numel() == rows_ && in[2].numel() == 1, "[", name(),
            "] logits ", in[0], ", targets ", in[1], ", loss ", in[2],
            ": one target a row and one loss are needed");
    check(in);
    return {1};
  }

  void forward(const Frame& f) const override {
    *f.out.f32() = *f.in[2].f32();
    if (f.rate == 0) return;
    const std::int32_t* targets = f.in[1].i32();
    float *lse = f.saved_as<float>(), *terms = f.scratch_as<float>();
    each_row(f, [&](std::int64_t r, const float* row) { lse[r] = log_sum_exp(row, v_); });
    each_row(f, [&](std::int64_t r, const float* row) {
      terms[r] = targets[r] < 0 ? 0 : term(f, lse, r, row);
    });
    double sum = 0;
    for (std::int64_t r = 0; r < rows_; ++r) sum += static_cast<double>(terms[r]);
    *f.out.f32() +=
        f.rate * static_cast<float>(sum / static_cast<double>(counted_rows(targets, rows_)));
  }

  // dloss += dout, dlogits += dout·rate/n·∂term
  void backward(const Frame& f) const override {
    const float dout = *f.dout.f32();
    if (const engine::Grad& base = f.din[2]; base && base.f32() != f.dout.f32())
      *base.f32() = (base.add ? *base.f32() : 0) + dout;
    if (!f.din[0]) return;
    const std::int32_t* targets = f.in[1].i32();
    const float* lse = f.saved_as<float>();
    const float scale = dout * f.rate / static_cast<float>(counted_rows(targets, rows_));
    float* d = f.din[0].f32();
    each_row(f, [&](std::int64_t r, const float* row) {
      if (!f.din[0].add) std::fill_n(d + r * v_, v_, 0.0F);
      if (f.rate != 0 && targets[r] >= 0) add_gradient(f, lse, r, row, scale, d + r * v_);
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * v_);
    return pass == Pass::kForward ? Cost{16 * n, 4 * n} : Cost{16 * n, 8 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b011;
    n.pass_through = 0b100;
    n.saved = n.scratch_forward = static_cast<std::size_t>(rows_) * 4;
    return n;
  }

 protected:
  virtual void check(std::span<const Shape>) {}
  /// Of row r, which counts. `lse` (R) is that of every row.
  virtual float term(const Frame& f, const float* lse, std::int64_t r, const float* row) const = 0;
  /// d (V) += scale·∂(sum of all rows' terms)/∂row
  virtual void add_gradient(const Frame& f, const float* lse, std::int64_t r, const float* row,
                            float scale, float* d) const = 0;

  std::int64_t rows_ = 0, v_ = 0;

 private:
  template <class F>
  void each_row(const Frame& f, const F& work) const {
    const float* logits = f.in[0].f32();
    base::parallel_chunks(rows_, kLossRowChunk,
                          [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
                            for (std::int64_t r = r0; r < r1; ++r) work(r, logits + r * v_);
                          });
  }
};

// Cross-entropy against (1 − ε)·onehot + ε/V is (1 − ε)·CE + ε·mean_j(−log p_j), which is
// CE + ε·(x_target − mean_j x_j).
class LabelSmoothing final : public LossTerm {
 public:
  std::string_view name() const override { return "label_smoothing"; }

 private:
  float term(const Frame& f, const float*, std::int64_t r, const float* row) const override {
    const auto [sum] = simd::lane_sums<1>(v_, [row](auto d, std::int64_t j, auto* sums) HWY_ATTR {
      sums[0] = hn::Add(sums[0], hn::LoadU(d, row + j));
    });
    return row[f.in[1].i32()[r]] - sum / static_cast<float>(v_);
  }
  void add_gradient(const Frame& f, const float*, std::int64_t r, const float*, float scale,
                    float* d) const override {
    const float share = scale / static_cast<float>(v_);
#pragma omp simd
    for (std::int64_t j = 0; j < v_; ++j) d[j] -= share;
    d[f.in[1].i32()[r]] += scale;
  }
};

// lse², with the gradient 2·lse·softmax.
class ZLoss final : public LossTerm {
 public:
  std::string_view name() const override { return "z_loss"; }

 private:
  float term(const Frame&, const float* lse, std::int64_t r, const float*) const override {
    return lse[r] * lse[r];
  }
  void add_gradient(const Frame&, const float* lse, std::int64_t r, const float* row, float scale,
                    float* d) const override {
    add_softmax(row, lse[r], 2 * scale * lse[r], v_, d);
  }
};

// ½(KL(a‖b) + KL(b‖a)) of a row's softmax a and that of the same position in the sample's other
// pass, b; samples 2i and 2i + 1 of the batch are two passes. Row a's part is KL(a‖b), row b's
// KL(b‖a): their mean over rows is the mean over pairs.
class RDrop final : public LossTerm {
 public:
  std::string_view name() const override { return "r_drop"; }

 private:
  void check(std::span<const Shape> in) override {
    require(in[1].rank() == 2 && in[1][0] % 2 == 0, "[r_drop] targets ", in[1],
            ": needs (B,T) with the two passes of a sample in consecutive rows");
    t_ = in[1][1];
  }
  std::int64_t partner(std::int64_t r) const { return r / t_ % 2 == 0 ? r + t_ : r - t_; }

  // KL(a‖b) = Σ_j a_j·(log a_j − log b_j)
  float term(const Frame& f, const float* lse, std::int64_t r, const float* row) const override {
    const float* other = f.in[0].f32() + partner(r) * v_;
    const float za = lse[r], zb = lse[partner(r)];
    const auto [kl] = simd::lane_sums<1>(v_, [=](auto d, std::int64_t j, auto* sums) HWY_ATTR {
      const auto u = hn::Sub(hn::LoadU(d, row + j), hn::Set(d, za));
      const auto v = hn::Sub(hn::LoadU(d, other + j), hn::Set(d, zb));
      sums[0] = hn::MulAdd(simd::bounded_exp(d, u), hn::Sub(u, v), sums[0]);
    });
    return kl;
  }
  // ∂(KL(a‖b) + KL(b‖a)) = a∘(log a − log b − KL(a‖b)) + a − b
  void add_gradient(const Frame& f, const float* lse, std::int64_t r, const float* row, float scale,
                    float* d) const override {
    const float* other = f.in[0].f32() + partner(r) * v_;
    const float za = lse[r], zb = lse[partner(r)], kl = term(f, lse, r, row);
    for_row(v_, [=](auto at) HWY_ATTR {
      const auto set = [](float x) HWY_ATTR { return hn::Set(simd::kF32, x); };
      const auto u = hn::Sub(at.load(row), set(za)), v = hn::Sub(at.load(other), set(zb));
      const auto a = simd::bounded_exp(simd::kF32, u), b = simd::bounded_exp(simd::kF32, v);
      const auto slope = hn::Sub(hn::MulAdd(a, hn::Sub(hn::Sub(u, v), set(kl)), a), b);
      at.store(hn::MulAdd(set(scale), slope, at.load(d)), d);
    });
  }

  std::int64_t t_ = 1;
};

template <class Term>
Ref add(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
        engine::Randomness randomness) {
  return tape.push(name, std::make_unique<Term>(), {logits, targets, loss}, std::move(randomness));
}

}  // namespace

Ref label_smoothing(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
                    engine::Randomness randomness) {
  return add<LabelSmoothing>(tape, name, logits, targets, loss, std::move(randomness));
}
Ref z_loss(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Randomness randomness) {
  return add<ZLoss>(tape, name, logits, targets, loss, std::move(randomness));
}
Ref r_drop(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Randomness randomness) {
  return add<RDrop>(tape, name, logits, targets, loss, std::move(randomness));
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
