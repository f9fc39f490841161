// How do I build a model of my own? A multilayer perceptron on two spirals, from ops.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numbers>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/rng.h"
#include "ops/ops.h"
#include "train/optim/optimizer.h"

namespace {

constexpr std::int64_t B = 256, kHidden = 64;

/// Points of two spirals with a little noise, and which spiral each is on.
void make_spirals(std::vector<float>& points, std::vector<std::int32_t>& labels) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kData), 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(B); ++i) {
    labels[i] = static_cast<std::int32_t>(i % 2);
    const double along = std::sqrt(random.uniform()), noise = 0.03 * random.uniform();
    const double angle = 3 * std::numbers::pi * along + std::numbers::pi * labels[i];
    points[2 * i] = static_cast<float>(2 * along * std::cos(angle) + noise);
    points[2 * i + 1] = static_cast<float>(2 * along * std::sin(angle) + noise);
  }
}

/// x (B,in) → (B,out). The name of the weights decides how they start.
engine::Ref linear(engine::Tape& tape, const std::string& name, engine::Ref x, std::int64_t out) {
  const std::int64_t in = tape.shape(x).back();
  const engine::Init normal{engine::Init::Kind::kNormal, std::sqrt(2.0 / static_cast<double>(in))};
  return ops::matmul(tape, name, x, tape.param(name + ".weight", {in, out}, normal),
                     tape.param(name + ".bias", {out}, {}));
}

}  // namespace

int main() {
  std::vector<float> points(2 * B);
  std::vector<std::int32_t> labels(B);
  make_spirals(points, labels);

  engine::Params params;
  engine::Tape tape(params);
  const engine::Ref x = tape.input("points", {B, 2}, engine::DType::kF32);
  const engine::Ref y = tape.input("labels", {B}, engine::DType::kI32);
  engine::Ref h = ops::gelu(tape, "gelu_1", linear(tape, "fc_1", x, kHidden));
  h = ops::gelu(tape, "gelu_2", linear(tape, "fc_2", h, kHidden));
  const engine::Ref logits = linear(tape, "head", h, 2);
  const engine::Ref loss = ops::cross_entropy(tape, "loss", logits, y);
  engine::Plan plan(std::move(tape), loss, {.keep = {logits}});
  params.allocate(1);
  plan.bind(x, points.data());
  plan.bind(y, labels.data());
  std::printf("%lld parameters, %zu bytes for activations and gradients\n",
              static_cast<long long>(params.count()), plan.arena_bytes());

  train::AdamW adamw(params, {.weight_decay = 0});
  train::Moments moments(params);
  for (engine::Step step{.seed = 1}; step.index < 300; ++step.index) {
    plan.forward(step);
    plan.backward(step);
    if (step.index % 100 == 0)
      std::printf("step %3llu  loss %.4f\n", static_cast<unsigned long long>(step.index),
                  static_cast<double>(plan.loss()));
    adamw.step(moments, 1e-2);
  }

  plan.forward({});
  int correct = 0;
  for (std::int64_t i = 0; i < B; ++i) {
    const float* row = plan.view(logits).f32() + 2 * i;
    correct += (row[1] > row[0]) == (labels[static_cast<std::size_t>(i)] == 1);
  }
  std::printf("%d of %lld points are classified correctly\n", correct, static_cast<long long>(B));
}
