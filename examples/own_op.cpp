// How do I add an op? Write a class with infer, forward, backward and cost, and push it on a tape.
// This is squared ReLU (So et al. 2021), and a check of its gradient by finite differences.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "engine/plan.h"
#include "ops/ops.h"

namespace {

// y = max(x, 0)², dx = 2·max(x, 0)·dout
class SquaredRelu final : public engine::Op {
 public:
  std::string_view name() const override { return "squared_relu"; }

  engine::Shape infer(std::span<const engine::Shape> in) override {
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const engine::Frame& f) const override {
    const float* x = f.in[0].f32();
    float* y = f.out.f32();
    base::parallel_elements(n_, [&](std::int64_t i) { y[i] = x[i] > 0 ? x[i] * x[i] : 0; });
  }

  /// `add`: another op has written to this gradient before.
  void backward(const engine::Frame& f) const override {
    const float *x = f.in[0].f32(), *dout = f.dout.f32();
    float* dx = f.din[0].f32();
    const bool add = f.din[0].add;
    base::parallel_elements(n_, [&](std::int64_t i) {
      dx[i] = (add ? dx[i] : 0) + (x[i] > 0 ? 2 * x[i] * dout[i] : 0);
    });
  }

  /// For profiles and budgets in FLOPs.
  engine::Cost cost(engine::Pass pass) const override {
    const auto n = static_cast<double>(n_);
    return pass == engine::Pass::kForward ? engine::Cost{2 * n, 8 * n}
                                          : engine::Cost{3 * n, 12 * n};
  }

 private:
  std::int64_t n_ = 0;
};

engine::Ref squared_relu(engine::Tape& tape, std::string_view name, engine::Ref x) {
  return tape.push(name, std::make_unique<SquaredRelu>(), {x});
}

}  // namespace

int main() {
  engine::Params params;
  engine::Tape tape(params);
  const engine::Ref x = tape.param("x", {4, 8}, {engine::Init::Kind::kNormal, 1.0});
  const engine::Ref y = tape.input("classes", {4}, engine::DType::kI32);
  const engine::Ref loss = ops::cross_entropy(tape, "loss", squared_relu(tape, "act", x), y);
  engine::Plan plan(std::move(tape), loss, {.poison = true});  // finds reads of dead memory
  params.allocate(1);
  std::vector<std::int32_t> classes = {0, 3, 5, 7};
  plan.bind(y, classes.data());
  plan.forward({});
  plan.backward({});

  constexpr float kStep = 1e-2F;
  const std::vector<float> gradient(params.grad(0), params.grad(0) + 32);
  const auto loss_with = [&](float& value, float x0) {
    value = x0;
    plan.forward({});
    plan.backward({});  // the loss is known after the backward pass
    return static_cast<double>(plan.loss());
  };
  double worst = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    float& value = params.value(0)[i];
    const float x0 = value;
    const double slope =
        (loss_with(value, x0 + kStep) - loss_with(value, x0 - kStep)) / (2 * kStep);
    value = x0;
    worst = std::max(worst, std::abs(slope - static_cast<double>(gradient[i])));
  }
  std::printf("largest difference between backward() and finite differences: %.1e\n", worst);
  return worst < 1e-3 ? 0 : 1;
}
