#include <cmath>

#include "base/parallel.h"
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

constexpr std::int64_t kRowChunk = 64;

/// Targets that count; 1 if there is none, so that means can be formed.
double counted(const float* targets, std::int64_t rows) {
  const auto n =
      std::count_if(targets, targets + rows, [](float target) { return !std::isnan(target); });
  return static_cast<double>(std::max<std::int64_t>(n, 1));
}

// x (R,2), targets (R) f32, out (W): W equal groups of consecutive rows. In double: rows are few,
// and 1/σ² would carry the rounding of a small σ into everything.
class GaussianNllOp final : public engine::Op {
 public:
  explicit GaussianNllOp(std::int64_t windows) : windows_(windows) {}
  std::string_view name() const override { return "gaussian_nll"; }

  Shape infer(std::span<const Shape> in) override {
    require(in[0].rank() >= 2 && in[0].back() == 2, "[gaussian_nll] x ", in[0],
            ": two numbers a row are needed, a mean and what makes a standard deviation");
    rows_ = in[0].rows();
    require(in[1].numel() == rows_, "[gaussian_nll] x ", in[0], ", targets ", in[1],
            ": one target a row is needed");
    require(windows_ >= 1 && rows_ % windows_ == 0, "[gaussian_nll] x ", in[0], ": ", windows_,
            " windows do not divide the rows");
    return {windows_};
  }

  void build(const engine::Build& b) override {
    require(windows_ == 1 || !b.wants[0],
            "[gaussian_nll] losses of windows are for evaluation: they have no gradient");
    require(!b.wants[1], "[gaussian_nll] targets have no gradient");
  }

  // loss[w] = mean over the window's counted rows of ½log(2πσ²) + (y − μ)²/(2σ²)
  void forward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *targets = f.in[1].f32();
    const double half_log_2pi = 0.5 * std::log(2 * M_PI);
    double* losses = f.scratch_as<double>();
    for_rows(rows_, kRowChunk, [&](std::int64_t r) {
      const double y = static_cast<double>(targets[r]);
      const double sigma = normal_sigma(static_cast<double>(x[2 * r + 1]));
      const double z = (y - static_cast<double>(x[2 * r])) / sigma;
      losses[r] = std::isnan(y) ? 0 : half_log_2pi + std::log(sigma) + 0.5 * z * z;
    });
    const std::int64_t window = rows_ / windows_;
    for (std::int64_t w = 0; w < windows_; ++w) {
      double loss = 0;
      for (std::int64_t r = w * window; r < (w + 1) * window; ++r) loss += losses[r];
      f.out.f32()[w] = static_cast<float>(loss / counted(targets + w * window, window));
    }
  }

  // dμ += dout/n · (μ − y)/σ², ds += dout/n · (1 − (y − μ)²/σ²)/σ · σ′, σ′ the logistic function
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *targets = f.in[1].f32();
    float* d = f.din[0].f32();
    const bool add = f.din[0].add;
    const double scale = static_cast<double>(*f.dout.f32()) / counted(targets, rows_);
    for_rows(rows_, kRowChunk, [&](std::int64_t r) {
      const double y = static_cast<double>(targets[r]);
      double dmu = 0, ds = 0;
      if (!std::isnan(y)) {
        const double s = static_cast<double>(x[2 * r + 1]), sigma = normal_sigma(s);
        const double z = (y - static_cast<double>(x[2 * r])) / sigma;
        dmu = -scale * z / sigma;
        ds = scale * (1 - z * z) / (sigma * (1 + std::exp(-s)));
      }
      d[2 * r] = static_cast<float>(dmu) + (add ? d[2 * r] : 0.0F);
      d[2 * r + 1] = static_cast<float>(ds) + (add ? d[2 * r + 1] : 0.0F);
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_);
    return pass == Pass::kForward ? Cost{60 * n, 12 * n} : Cost{60 * n, 20 * n};
  }

  Needs needs() const override {
    Needs n;
    n.scratch_forward = static_cast<std::size_t>(rows_) * sizeof(double);
    return n;
  }

 private:
  std::int64_t windows_, rows_ = 0;
};

}  // namespace

double normal_sigma(double s) {
  return kLeastSigma + (s > 0 ? s + std::log1p(std::exp(-s)) : std::log1p(std::exp(s)));
}

Ref gaussian_nll(Tape& tape, std::string_view name, Ref x, Ref targets, std::int64_t windows) {
  return tape.push(name, std::make_unique<GaussianNllOp>(windows), {x, targets});
}

}  // namespace ops
