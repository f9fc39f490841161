#include "ops/activation.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"
#include "base/text.h"
#include "ops/noise-inl.h"
#include "ops/noise_rows.h"
#include "ops/ops.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;
using simd::kF32;
using simd::VF;
namespace hn = simd::hn;

constexpr std::int64_t kChunk = 8192;

Needs cheap_to_replay() {
  Needs n;
  n.inputs = 0b1;
  n.replayable = true;
  n.cheap = true;
  return n;
}

/// 1/(1 + e^−z), for any z
HWY_INLINE VF sigmoid(VF z) {
  const VF one = hn::Set(kF32, 1.0f);
  return hn::Div(one, hn::Add(one, simd::exp(kF32, hn::Min(hn::Neg(z), hn::Set(kF32, 88.0f)))));
}

/// ½x(1 + tanh u) = x·σ(2u), u = √(2/π)(x + 0.044715x³)
struct Gelu {
  static constexpr double kFlops = 20, kSlopeFlops = 30;
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

/// max(x, 0)
struct Relu {
  static constexpr double kFlops = 1, kSlopeFlops = 2;
  HWY_INLINE VF operator()(VF x) const { return simd::at_least(kF32, 0.0f, x); }
  HWY_INLINE VF slope(VF x, VF dy) const {
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(kF32)), dy);
  }
};

/// λx for x > 0, else λα(eˣ − 1)
struct Selu {
  static constexpr double kFlops = 16, kSlopeFlops = 16;
  static constexpr float kLambda = 1.0507009873554805f;
  static constexpr float kLambdaAlpha = 1.7580993408473766f;
  static HWY_INLINE VF tail(VF x) {  // λα·eˣ; NaN if x is
    const VF zero = hn::Zero(kF32);
    const VF low = hn::IfThenElse(hn::Gt(x, zero), zero, x);
    return hn::Mul(hn::Set(kF32, kLambdaAlpha), simd::exp(kF32, low));
  }
  HWY_INLINE VF operator()(VF x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(kF32)), hn::Mul(hn::Set(kF32, kLambda), x),
                          hn::Sub(tail(x), hn::Set(kF32, kLambdaAlpha)));
  }
  HWY_INLINE VF slope(VF x, VF dy) const {
    return hn::Mul(dy, hn::IfThenElse(hn::Gt(x, hn::Zero(kF32)), hn::Set(kF32, kLambda), tail(x)));
  }
};

// x, out of one shape: out = m·act(x) + c
template <class Act>
class ActivationOp final : public engine::Op {
 public:
  ActivationOp(std::string_view name, const NoiseKind* noise) : name_(name), rows_(noise) {}
  std::string_view name() const override { return name_; }

  Shape infer(std::span<const Shape> in) override {
    n_ = in[0].numel();
    if (rows_.kind() != nullptr) rows_.set_shape(in[0], name_);
    return in[0];
  }

  void forward(const Frame& f) const override {
    const float* x = f.in[0].f32();
    float* out = f.out.f32();
    if (rows_.kind() != nullptr)
      return rows_.for_each(
          f, [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
            simd::noise_activation(noise, rows, r0, r1, x, out, Act());
          });
    base::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      simd::for_each(static_cast<std::size_t>(i1 - i0),
                     [&](auto at) HWY_ATTR { at.store(Act()(at.load(x + i0)), out + i0); });
    });
  }

  // dx += m·dout·act′(x)
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    float* dx = f.din[0].f32();
    const bool add = f.din[0].add;
    if (rows_.kind() != nullptr)
      return rows_.for_each(
          f, [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
            const auto slope = [](VF v, VF dy) HWY_ATTR { return Act().slope(v, dy); };
            simd::noise_activation_backward(noise, rows, r0, r1, x, dout, dx, add, slope);
          });
    base::parallel_chunks(n_, kChunk, [&](std::int64_t, std::int64_t i0, std::int64_t i1) {
      simd::for_each(static_cast<std::size_t>(i1 - i0), [&](auto at) HWY_ATTR {
        const VF d = Act().slope(at.load(x + i0), at.load(dout + i0));
        at.store(add ? hn::Add(at.load(dx + i0), d) : d, dx + i0);
      });
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(n_);
    return pass == Pass::kForward ? Cost{Act::kFlops * n, 8 * n}
                                  : Cost{Act::kSlopeFlops * n, 12 * n};
  }

  Needs needs() const override { return cheap_to_replay(); }

 private:
  std::string_view name_;
  std::int64_t n_ = 0;
  NoiseRows rows_;
};

// x (…,2H), the gate's half first, → out (…,H): out = silu(gate)·value, silu(g) = g·σ(g)
class SwigluOp final : public engine::Op {
 public:
  std::string_view name() const override { return "swiglu"; }

  Shape infer(std::span<const Shape> in) override {
    const Shape& x = in[0];
    require(x.rank() >= 1 && x.back() % 2 == 0, "[swiglu] x ", x,
            ": the last dimension must be even, a gate's half and a value's");
    h_ = x.back() / 2;
    rows_ = x.rows();
    switch (x.rank()) {
      case 1:
        return {h_};
      case 2:
        return {x[0], h_};
      case 3:
        return {x[0], x[1], h_};
      default:
        return {x[0], x[1], x[2], h_};
    }
  }

  void forward(const Frame& f) const override {
    for_rows([&](std::int64_t r) {
      const float *gate = f.in[0].f32() + r * 2 * h_, *value = gate + h_;
      float* out = f.out.f32() + r * h_;
      simd::for_each(static_cast<std::size_t>(h_), [&](auto at) HWY_ATTR {
        const VF g = at.load(gate);
        at.store(hn::Mul(hn::Mul(g, sigmoid(g)), at.load(value)), out);
      });
    });
  }

  // dgate += dout·value·s·(1 + g·(1 − s)), dvalue += dout·g·s, s = σ(g)
  void backward(const Frame& f) const override {
    const bool add = f.din[0].add;
    for_rows([&](std::int64_t r) {
      const float *gate = f.in[0].f32() + r * 2 * h_, *value = gate + h_;
      const float* dout = f.dout.f32() + r * h_;
      float *dgate = f.din[0].f32() + r * 2 * h_, *dvalue = dgate + h_;
      simd::for_each(static_cast<std::size_t>(h_), [&](auto at) HWY_ATTR {
        const VF one = hn::Set(kF32, 1.0f), g = at.load(gate), s = sigmoid(g);
        const VF ds = hn::Mul(at.load(dout), s);
        const VF dg = hn::Mul(hn::Mul(ds, at.load(value)), hn::MulAdd(g, hn::Sub(one, s), one));
        const VF dv = hn::Mul(ds, g);
        at.store(add ? hn::Add(at.load(dgate), dg) : dg, dgate);
        at.store(add ? hn::Add(at.load(dvalue), dv) : dv, dvalue);
      });
    });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_ * h_);
    return pass == Pass::kForward ? Cost{16 * n, 12 * n} : Cost{22 * n, 20 * n};
  }

  Needs needs() const override { return cheap_to_replay(); }

 private:
  template <class F>
  void for_rows(const F& f) const {
    base::parallel_chunks(rows_, std::max<std::int64_t>(1, kChunk / h_),
                          [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
                            for (std::int64_t r = r0; r < r1; ++r) f(r);
                          });
  }

  std::int64_t rows_ = 0, h_ = 0;
};

/// The activation with the noise in its own loop, or with evaluation's form of it behind.
template <class Act>
engine::Ref push(engine::Tape& tape, std::string_view kind, std::string_view name, engine::Ref x,
                 const NoiseUse& use) {
  if (use.is_factor()) return noise(tape, use.name, push<Act>(tape, kind, name, x, {}), use);
  return tape.push(name, std::make_unique<ActivationOp<Act>>(kind, use.kind), {x}, use.randomness);
}

constexpr std::array kKinds{
    ActivationKind{"gelu", gelu, 1, "x·Φ(x), by its tanh approximation: GPT-2's",
                   "Hendrycks & Gimpel 2016, arXiv:1606.08415"},
    ActivationKind{"relu", relu, 1, "max(x, 0)", "Nair & Hinton 2010, ICML"},
    ActivationKind{"selu", selu, 1,
                   "λx for x > 0, else λα(eˣ − 1): keeps mean 0 and variance 1 (with init=lecun)",
                   "Klambauer et al. 2017, arXiv:1706.02515"},
    ActivationKind{"swiglu", swiglu, 2,
                   "silu(gate)·value, twice the columns in c_fc (mlp_hidden=8/3·n_embd makes the "
                   "MLP as large as gelu's)",
                   "Shazeer 2020, arXiv:2002.05202"},
};

}  // namespace

std::span<const ActivationKind> activation_kinds() { return kKinds; }

const ActivationKind& activation_kind(std::string_view name) {
  return base::row_named(activation_kinds(), name, "activation");
}

engine::Ref gelu(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use) {
  return push<Gelu>(tape, "gelu", name, x, use);
}

engine::Ref relu(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use) {
  return push<Relu>(tape, "relu", name, x, use);
}

engine::Ref selu(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use) {
  return push<Selu>(tape, "selu", name, x, use);
}

engine::Ref swiglu(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use) {
  x = tape.push(name, std::make_unique<SwigluOp>(), {x});
  return use ? noise(tape, use.name, x, use) : x;
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
