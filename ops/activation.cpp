#include "engine/parallel.h"
#include "ops/noise-inl.h"
#include "ops/ops.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;
using simd::kF32;
using simd::VF;
namespace hn = simd::hn;

constexpr std::int64_t kChunk = 8192;

/// 1/(1 + e^−z), for any z
HWY_INLINE VF sigmoid(VF z) {
  const VF one = hn::Set(kF32, 1.0f);
  return hn::Div(one, hn::Add(one, simd::exp(kF32, hn::Min(hn::Neg(z), hn::Set(kF32, 88.0f)))));
}

/// ½x(1 + tanh u) = x·σ(2u), u = √(2/π)(x + 0.044715x³)
struct Gelu {
  static constexpr float kScale = 1.5957691216f;  // 2·√(2/π)
  static constexpr float kCube = 0.044715f;
  HWY_INLINE VF operator()(VF x) const {
    const VF cubic =
        hn::MulAdd(hn::Mul(x, x), hn::Set(kF32, kScale * kCube), hn::Set(kF32, kScale));
    return hn::Mul(x, sigmoid(hn::Mul(x, cubic)));
  }
  /// dy·(s + x·s·(1−s)·2u′), s = σ(2u)
  HWY_INLINE VF slope(VF x, VF dy) const {
    const VF one = hn::Set(kF32, 1.0f), x2 = hn::Mul(x, x);
    const VF cubic = hn::MulAdd(x2, hn::Set(kF32, kScale * kCube), hn::Set(kF32, kScale));
    const VF s = sigmoid(hn::Mul(x, cubic));
    const VF du = hn::MulAdd(x2, hn::Set(kF32, 3 * kScale * kCube), hn::Set(kF32, kScale));
    const VF tail = hn::Mul(hn::Mul(x, hn::Sub(one, s)), du);
    return hn::Mul(hn::Mul(dy, s), hn::Add(one, tail));
  }
};

// x, out of one shape
template <class Act>
class ActivationOp final : public engine::Op {
 public:
  explicit ActivationOp(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }

  Shape infer(std::span<const Shape> in) override {
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const Frame& f) const override {
    const float* x = f.in[0].f32();
    float* out = f.out.f32();
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      simd::for_each(static_cast<std::size_t>(i1 - i0),
                     [&](auto at) HWY_ATTR { at.store(Act()(at.load(x + i0)), out + i0); });
    });
  }

  // dx += dout·act′(x)
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    float* dx = f.din[0].f32();
    const bool add = f.din[0].add;
    engine::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      simd::for_each(static_cast<std::size_t>(i1 - i0), [&](auto at) HWY_ATTR {
        const VF d = Act().slope(at.load(x + i0), at.load(dout + i0));
        at.store(add ? hn::Add(at.load(dx + i0), d) : d, dx + i0);
      });
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
  std::string_view name_;
  std::int64_t n_ = 0;
};

}  // namespace

engine::Ref gelu(engine::Tape& tape, std::string_view name, engine::Ref x) {
  return tape.push(name, std::make_unique<ActivationOp<Gelu>>("gelu"), {x});
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
