#include "tests/ops/test_ops.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/rng.h"

namespace tests {
namespace {

using engine::Cost;
using engine::Frame;
using engine::Grad;
using engine::Needs;
using engine::Pass;
using engine::Shape;

class CarryOp final : public engine::Op {
 public:
  std::string_view name() const override { return "test_carry"; }
  Shape infer(std::span<const Shape> in) override { return in[0]; }
  void forward(const Frame& f) const override {
    std::copy_n(f.in[0].f32(), f.out.shape->numel(), f.out.f32());
  }
  void backward(const Frame& f) const override {
    const float* dout = f.dout.f32();
    float* d = f.din[0].f32();
    for (std::int64_t i = 0, n = f.out.shape->numel(); i < n; ++i)
      d[i] = f.din[0].add ? d[i] + dout[i] : dout[i];
  }
  Cost cost(Pass) const override { return {}; }
  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    return n;
  }
};

class SquareOp final : public engine::Op {
 public:
  std::string_view name() const override { return "test_square"; }
  Shape infer(std::span<const Shape> in) override { return in[0]; }
  void forward(const Frame& f) const override {
    const float* x = f.in[0].f32();
    for (std::int64_t i = 0, n = f.out.shape->numel(); i < n; ++i) f.out.f32()[i] = x[i] * x[i];
  }
  void backward(const Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    float* d = f.din[0].f32();
    for (std::int64_t i = 0, n = f.out.shape->numel(); i < n; ++i)
      d[i] = (f.din[0].add ? d[i] : 0.0F) + 2.0F * x[i] * dout[i];
  }
  Cost cost(Pass) const override { return {}; }
};

class PlusOp final : public engine::Op {
 public:
  std::string_view name() const override { return "test_plus"; }
  Shape infer(std::span<const Shape> in) override { return in[0]; }
  void forward(const Frame& f) const override {
    for (std::int64_t i = 0, n = f.out.shape->numel(); i < n; ++i)
      f.out.f32()[i] = f.in[0].f32()[i] + f.in[1].f32()[i];
  }
  void backward(const Frame& f) const override {
    for (const Grad& grad : f.din) {
      if (!grad || grad.f32() == f.dout.f32()) continue;
      for (std::int64_t i = 0, n = f.out.shape->numel(); i < n; ++i)
        grad.f32()[i] = (grad.add ? grad.f32()[i] : 0.0F) + f.dout.f32()[i];
    }
  }
  Cost cost(Pass) const override { return {}; }
  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    n.replayable = true;
    n.pass_through = 0b11;
    return n;
  }
};

class WeightedSumOp final : public engine::Op {
 public:
  std::string_view name() const override { return "test_weighted_sum"; }
  Shape infer(std::span<const Shape>) override { return {1}; }
  void forward(const Frame& f) const override {
    double sum = 0;
    for (std::size_t k = 0; k < f.in.size(); ++k)
      for (std::int64_t i = 0, n = f.in[k].shape->numel(); i < n; ++i)
        sum += weight(k, i) * static_cast<double>(f.in[k].f32()[i]);
    *f.out.f32() = static_cast<float>(sum);
  }
  void backward(const Frame& f) const override {
    const float scale = *f.dout.f32();
    for (std::size_t k = 0; k < f.din.size(); ++k) {
      const Grad& grad = f.din[k];
      if (!grad) continue;
      for (std::int64_t i = 0, n = grad.view.shape->numel(); i < n; ++i) {
        const float d = scale * static_cast<float>(weight(k, i));
        grad.f32()[i] = grad.add ? grad.f32()[i] + d : d;
      }
    }
  }
  Cost cost(Pass) const override { return {}; }
  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    return n;
  }
};

class FunctionOp final : public engine::Op {
 public:
  explicit FunctionOp(LambdaOp functions) : functions_(std::move(functions)) {}
  std::string_view name() const override { return "test_lambda"; }
  Shape infer(std::span<const Shape> in) override { return in[0]; }
  void forward(const Frame& f) const override { functions_.forward(f); }
  void backward(const Frame& f) const override { functions_.backward(f); }
  Cost cost(Pass) const override { return {}; }
  Needs needs() const override { return functions_.needs; }

 private:
  LambdaOp functions_;
};

}  // namespace

Ref carry(Tape& tape, std::string_view name, Ref x) {
  return tape.push(name, std::make_unique<CarryOp>(), {x});
}

Ref plus(Tape& tape, std::string_view name, Ref a, Ref b) {
  return tape.push(name, std::make_unique<PlusOp>(), {a, b});
}

Ref square(Tape& tape, std::string_view name, Ref x) {
  return tape.push(name, std::make_unique<SquareOp>(), {x});
}

Ref weighted_sum(Tape& tape, std::string_view name, std::vector<Ref> in) {
  return tape.push(name, std::make_unique<WeightedSumOp>(), std::move(in));
}

Ref lambda(Tape& tape, std::string_view name, LambdaOp op, std::vector<Ref> in,
           engine::Randomness randomness, std::vector<Ref> state) {
  return tape.push(name, std::make_unique<FunctionOp>(std::move(op)), std::move(in),
                   std::move(randomness), std::move(state));
}

double weight(std::size_t k, std::int64_t i) {
  const std::uint64_t h = engine::mix64(engine::mix64(k) + static_cast<std::uint64_t>(i));
  const double size = 0.5 + static_cast<double>(h >> 42) * 0x1p-23;  // 22 bits
  return (h & 1) != 0 ? size : -size;
}

bool is_test_op(std::string_view op_name) { return op_name.substr(0, 5) == "test_"; }

}  // namespace tests
