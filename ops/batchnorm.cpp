#include <cmath>

#include "engine/memory_plan.h"
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

constexpr std::int64_t kRowChunk = 64;  // rows a partial sum covers
constexpr float kMomentum = 0.1F;       // share of the newest batch in the running statistics

// x (R,C), gamma (C), beta (C), out (R,C); saved: mean (C), 1/√(σ² + ε) (C);
// state: running mean (C), running variance (C), count (1)
class BatchNormOp final : public engine::Op {
 public:
  BatchNormOp(bool beta, Statistics statistics, float epsilon)
      : beta_(beta), statistics_(statistics), epsilon_(epsilon) {}
  std::string_view name() const override { return "batchnorm"; }

  Shape infer(std::span<const Shape> in) override {
    rows_ = in[0].rows();
    c_ = in[0].back();
    for (std::size_t i = 1; i < in.size(); ++i)
      require(in[i] == Shape{c_}, "[batchnorm] x ", in[0], ": ", i == 1 ? "gamma " : "beta ", in[i],
              " is not ", Shape{c_});
    return in[0];
  }

  void forward(const Frame& f) const override {
    float *mu = mean(f), *r = rstd(f);
    if (statistics_ == Statistics::kRunning) {
      std::copy_n(f.state[0].f32(), c_, mu);
      std::copy_n(f.state[1].f32(), c_, r);
    } else {
      batch_statistics(f, mu, r);
      if (!f.replay) update_running(f, mu, r);
    }
    for (std::int64_t j = 0; j < c_; ++j) r[j] = 1.0F / std::sqrt(r[j] + epsilon_);
    const float *gamma = f.in[1].f32(), *beta = beta_ ? f.in[2].f32() : nullptr;
    for_rows(rows_, kRowChunk, [&](std::int64_t row) {
      const float* x = f.in[0].f32() + row * c_;
      float* out = f.out.f32() + row * c_;
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j) out[j] = (x[j] - mu[j]) * r[j] * gamma[j];
      if (beta == nullptr) return;
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j) out[j] += beta[j];
    });
  }

  // x̂ = (x − μ)·r, means over rows: dγ += Σ dout·x̂, dβ += Σ dout,
  // dx += γ·r·(dout − mean(dout) − x̂·mean(dout·x̂)), with running statistics γ·r·dout
  void backward(const Frame& f) const override {
    const float *gamma = f.in[1].f32(), *mu = mean(f), *r = rstd(f);
    float* partial = f.scratch_as<float>();
    const RowSums sums = this->sums(2);
    sums.run(partial, [&](std::int64_t row, float* sum_x) {
      const float *x = f.in[0].f32() + row * c_, *dout = f.dout.f32() + row * c_;
      float* sum_1 = sum_x + sums.stride();
#pragma omp simd
      for (std::int64_t j = 0; j < c_; ++j) {
        sum_x[j] += dout[j] * (x[j] - mu[j]) * r[j];
        sum_1[j] += dout[j];
      }
    });
    sums.give(f.din[1], partial, 0);
    if (beta_) sums.give(f.din[2], partial, 1);
    if (!f.din[0]) return;
    float *mean_x = partial + sums.floats(), *mean_1 = mean_x + c_;
    average(sums, partial, 0, mean_x);
    average(sums, partial, 1, mean_1);
    const bool add = f.din[0].add;
    for_rows(rows_, kRowChunk, [&](std::int64_t row) {
      const float *x = f.in[0].f32() + row * c_, *dout = f.dout.f32() + row * c_;
      float* dx = f.din[0].f32() + row * c_;
      const auto slope = [&](std::int64_t j) {
        const float xhat = (x[j] - mu[j]) * r[j];
        return gamma[j] * r[j] * (dout[j] - mean_1[j] - xhat * mean_x[j]);
      };
      if (add) {
#pragma omp simd
        for (std::int64_t j = 0; j < c_; ++j) dx[j] += slope(j);
      } else {
#pragma omp simd
        for (std::int64_t j = 0; j < c_; ++j) dx[j] = slope(j);
      }
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * c_);
    return pass == Pass::kForward ? Cost{8 * n, 16 * n} : Cost{13 * n, 20 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0b011;
    n.replayable = true;
    n.saved = engine::align_up(static_cast<std::size_t>(c_) * 4) * 2;
    n.scratch_forward = sums(1).bytes();
    n.scratch_backward = sums(2).bytes() + static_cast<std::size_t>(2 * c_) * 4;
    return n;
  }

 private:
  static float* mean(const Frame& f) { return f.saved_as<float>(); }
  static float* rstd(const Frame& f) { return f.saved_as<float>(f.saved.size() / 2); }

  RowSums sums(std::int64_t count) const { return {rows_, kRowChunk, c_, count}; }

  /// out (C) = sum number i over the number of rows; with running statistics, which do not depend
  /// on x, 0.
  void average(const RowSums& sums, const float* partial, std::int64_t i, float* out) const {
    std::fill_n(out, c_, 0.0F);
    if (statistics_ == Statistics::kRunning) return;
    sums.add_to(out, partial, i);
    const float scale = 1.0F / static_cast<float>(rows_);
    for (std::int64_t j = 0; j < c_; ++j) out[j] *= scale;
  }

  /// μ and σ² (of R, not R − 1) of every channel, in two passes for the sake of precision.
  void batch_statistics(const Frame& f, float* mu, float* variance) const {
    float* partial = f.scratch_as<float>();
    for (const bool centred : {false, true}) {
      sums(1).run(partial, [&](std::int64_t row, float* sum) {
        const float* x = f.in[0].f32() + row * c_;
        if (!centred) {
#pragma omp simd
          for (std::int64_t j = 0; j < c_; ++j) sum[j] += x[j];
        } else {
#pragma omp simd
          for (std::int64_t j = 0; j < c_; ++j) sum[j] += (x[j] - mu[j]) * (x[j] - mu[j]);
        }
      });
      average(sums(1), partial, 0, centred ? variance : mu);
    }
  }

  /// The running variance is the unbiased one, Σ(x − μ)²/(R − 1).
  void update_running(const Frame& f, const float* mu, const float* variance) const {
    float *running_mean = f.state[0].f32(), *running_variance = f.state[1].f32();
    float* count = f.state[2].f32();
    *count += 1;
    const float least = statistics_ == Statistics::kBatch ? kMomentum : 0.0F;
    const float share = std::max(least, 1.0F / *count);
    const auto rows = static_cast<float>(rows_);
    const float unbiased = rows_ > 1 ? rows / (rows - 1) : 1.0F;
    for (std::int64_t j = 0; j < c_; ++j) {
      running_mean[j] += share * (mu[j] - running_mean[j]);
      running_variance[j] += share * (unbiased * variance[j] - running_variance[j]);
    }
  }

  bool beta_;
  Statistics statistics_;
  float epsilon_;
  std::int64_t rows_ = 0, c_ = 0;
};

}  // namespace

Ref batchnorm(Tape& tape, std::string_view name, Ref x, Ref gamma, Ref beta,
              const RunningStatistics& running, Statistics statistics, float epsilon) {
  std::vector<Ref> in = {x, gamma};
  if (beta) in.push_back(beta);
  const Shape channels{tape.shape(x).back()};
  require(tape.shape(running.mean) == channels && tape.shape(running.variance) == channels &&
              tape.shape(running.count) == Shape{1},
          "[batchnorm] x ", tape.shape(x), ": running statistics ", tape.shape(running.mean), ", ",
          tape.shape(running.variance), ", ", tape.shape(running.count), " are not ", channels,
          ", ", channels, ", (1)");
  return tape.push(name,
                   std::make_unique<BatchNormOp>(static_cast<bool>(beta), statistics, epsilon),
                   std::move(in), {}, {running.mean, running.variance, running.count});
}

}  // namespace ops
