#include "ops/attention.h"

#include <omp.h>

#include <algorithm>

#include "base/parallel.h"
#include "ops/attention_kernel-inl.h"

namespace ops {
namespace {
using base::require;

/// Softmax(Q·Kᵀ/√hs)·V of every head, causal. One task per (b,h), each by one thread in fixed
/// order. Kept for backward: qkv, out, and the log-sum-exp of each row of scores.
class Attention final : public engine::Op {
 public:
  Attention(int n_head, const NoiseKind* kind)
      : NH_(static_cast<std::size_t>(n_head)), kind_(kind) {
    require(n_head > 0, "[attention] n_head must be positive, got ", n_head);
    require(kind == nullptr || attention_takes(*kind), "[attention] ",
            kind == nullptr ? "" : kind->name, " has no meaning on attention weights");
  }

  std::string_view name() const override { return "attention"; }

  engine::Shape infer(std::span<const engine::Shape> in) override {
    require(in.size() == 1 && in[0].rank() == 3, "[attention] takes one input qkv (B,T,3C)");
    require(in[0].back() % static_cast<std::int64_t>(3 * NH_) == 0 && in[0].back() > 0,
            "[attention] qkv ", in[0], ": the last dimension must be 3 × ", NH_,
            " heads × head size");
    B_ = static_cast<std::size_t>(in[0][0]);
    T_ = static_cast<std::size_t>(in[0][1]);
    C_ = static_cast<std::size_t>(in[0].back()) / 3;
    hs_ = C_ / NH_;
    threads_ = static_cast<std::size_t>(std::max(omp_get_max_threads(), 1));
    threads_ = std::clamp<std::size_t>(B_ * NH_, 1, threads_);
    return {in[0][0], in[0][1], static_cast<std::int64_t>(C_)};
  }

  engine::Needs needs() const override {
    return {.inputs = 1,
            .output = true,
            .saved = B_ * NH_ * T_ * sizeof(float),
            .scratch_forward = threads_ * forward_floats() * sizeof(float),
            .scratch_backward = threads_ * backward_floats() * sizeof(float)};
  }

  engine::Cost cost(engine::Pass pass) const override {
    const double rows = static_cast<double>(B_ * NH_ * T_), hs = static_cast<double>(hs_);
    const double forward = 2 * rows * static_cast<double>(T_ + 1) * hs;  // 2 products, half of each
    if (pass == engine::Pass::kForward) return {forward, 4 * rows * (4 * hs + 1)};
    return {2.5 * forward, 4 * rows * (8 * hs + 1)};
  }

  void forward(const engine::Frame& f) const override {
    each_head(f, forward_floats(), [&](attn::Head& h, auto& noise, std::size_t, float* scratch) {
      h.write = write(f.out.f32(), C_);
      attn::forward_head(h, noise, scratch);
    });
  }

  void backward(const engine::Frame& f) const override {
    if (!f.din[0]) return;
    each_head(f, backward_floats(), [&](attn::Head& h, auto& noise, std::size_t b, float* scratch) {
      const std::size_t column = static_cast<std::size_t>(h.q - f.in[0].f32()) - b * T_ * 3 * C_;
      h.dout = f.dout.f32() + b * T_ * C_ + column;
      h.dq = f.din[0].f32() + b * T_ * 3 * C_ + column;
      h.dk = h.dq + C_;
      h.dv = h.dk + C_;
      h.write = f.din[0].add ? attn::Write::kAdd : write(f.din[0].f32(), 3 * C_);
      attn::backward_head(h, noise, scratch);
    });
  }

 private:
  /// Streams to tensors (B,T,columns) that the next op would not find in a private cache anyway.
  attn::Write write(const float* to, std::size_t columns) const {
    constexpr std::size_t kLine = 64, kLarge = std::size_t{4} << 20;
    const bool lines =
        reinterpret_cast<std::uintptr_t>(to) % kLine == 0 && hs_ * sizeof(float) % kLine == 0;
    const bool large = B_ * T_ * columns * sizeof(float) >= kLarge;
    return lines && large ? attn::Write::kStream : attn::Write::kAssign;
  }
  std::size_t forward_floats() const { return attn::ForwardScratch(nullptr, T_, hs_).carve.used(); }
  std::size_t backward_floats() const {
    return attn::BackwardScratch(nullptr, T_, hs_).carve.used();
  }

  /// work(head, noise, b, scratch) for every head, with the noise of this call.
  template <class Work>
  void each_head(const engine::Frame& f, std::size_t floats, const Work& work) const {
    Noise noise;
    if (kind_ != nullptr) noise = prepare(*kind_, f.step, f.site, static_cast<double>(f.rate));
    if (noise.identity() || noise.granularity == Granularity::kHead)
      run(f, floats, work, attn::PerHead(noise));
    else if (noise.two_points && noise.dropped_m == 0)
      run(f, floats, work, attn::Dropout(noise));
    else
      run(f, floats, work, attn::Multiply(noise));
  }

  template <class Work, class Multiplier>
  void run(const engine::Frame& f, std::size_t floats, const Work& work,
           const Multiplier& shared) const {
    base::Thrown thrown;
#pragma omp parallel num_threads(static_cast <int>(threads_))
    {
      Multiplier noise = shared;
      float* scratch =
          f.scratch_as<float>() + static_cast<std::size_t>(omp_get_thread_num()) * floats;
      // Static: a thread meets the rows again that it met in the matmuls before and in forward.
#pragma omp for schedule(static)
      for (std::size_t task = 0; task < B_ * NH_; ++task) {
        const std::size_t b = task / NH_, column = task % NH_ * hs_;
        attn::Head h;
        h.T = T_, h.hs = hs_, h.ld = 3 * C_, h.ldo = C_;
        h.q = f.in[0].f32() + b * T_ * 3 * C_ + column;
        h.k = h.q + C_;
        h.v = h.k + C_;
        h.out = f.out.f32() + b * T_ * C_ + column;
        h.lse = f.saved_as<float>() + task * T_;
        h.index = f.step.first_row * NH_ + task;
        thrown.guard([&] {
          noise.head(h.index);
          work(h, noise, b, scratch);
        });
      }
    }
    thrown.rethrow();
  }

  std::size_t NH_;
  const NoiseKind* kind_;
  std::size_t B_ = 0, T_ = 0, C_ = 0, hs_ = 0, threads_ = 1;
};

}  // namespace

std::unique_ptr<engine::Op> make_attention(int n_head, const NoiseKind* noise) {
  return std::make_unique<Attention>(n_head, noise);
}

bool attention_takes(const NoiseKind& kind) {
  return !kind.shifts() &&
         (kind.granularity == Granularity::kElement || kind.granularity == Granularity::kHead);
}

}  // namespace ops
