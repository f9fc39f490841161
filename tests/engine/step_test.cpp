// Steps of a plan: accumulation, loss scale, inputs, terminal ops, what an op is told, and misuse.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "engine/plan.h"
#include "engine/rng.h"
#include "ops/ops.h"
#include "tests/expect_error.h"
#include "tests/ops/test_ops.h"

namespace engine {
namespace {

using tests::carry;
using tests::kNormal;
using tests::lambda;
using tests::weight;
using tests::weighted_sum;

class StepTest : public testing::Test {
 protected:
  Plan& compile(Ref out, PlanOptions options = {}) {
    plan_.emplace(std::move(tape_), out, std::move(options));
    if (!params_.allocated()) params_.allocate(1);
    return *plan_;
  }
  float grad(std::string_view name, int i) const { return params_.grad(params_.find(name))[i]; }

  Params params_;
  Tape tape_{params_};
  std::optional<Plan> plan_;
};

TEST_F(StepTest, MicroStepsAddScaledGradients) {
  compile(weighted_sum(tape_, "loss", {carry(tape_, "x", tape_.param("p", {3}, kNormal))}));
  plan_->set_loss_scale(0.5F);
  for (const bool accumulate : {false, true, true}) {
    plan_->forward({});
    plan_->backward({}, accumulate);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(grad("p", i), static_cast<float>(1.5 * weight(0, i)));
  plan_->forward({});
  plan_->backward({});
  EXPECT_EQ(grad("p", 0), static_cast<float>(0.5 * weight(0, 0)));
}

TEST_F(StepTest, InputsMayMoveBetweenSteps) {
  const Ref x = tape_.input("x", {2}, DType::kF32);
  const Ref y = tests::plus(tape_, "y", x, tape_.param("p", {2}, {}));
  compile(weighted_sum(tape_, "loss", {y}));
  float first[] = {1, 0}, second[] = {0, 1};
  plan_->bind(x, first);
  plan_->forward({});
  EXPECT_EQ(plan_->loss(), static_cast<float>(weight(0, 0)));
  plan_->bind(x, second);
  plan_->forward({});
  EXPECT_EQ(plan_->loss(), static_cast<float>(weight(0, 1)));
}

TEST_F(StepTest, ATerminalOpRunsBackwardOnly) {
  int forwards = 0;
  const auto record = [&](Tape& tape) {
    Needs needs;
    needs.terminal = true;
    const auto loss = [](const Frame& f) { *f.out.f32() = 3 * *f.in[0].f32(); };
    return lambda(tape, "terminal",
                  {[&forwards, loss](const Frame& f) { ++forwards, loss(f); },
                   [loss](const Frame& f) { loss(f), *f.din[0].f32() = 3 * *f.dout.f32(); }, needs},
                  {carry(tape, "x", tape.param("p", {1}, {Init::Kind::kConstant, 2}))});
  };
  Tape evaluation(params_);
  const Ref evaluated = record(evaluation);
  PlanOptions no_training;
  no_training.training = false;
  Plan evaluate(std::move(evaluation), evaluated, no_training);
  compile(record(tape_));
  plan_->forward({});
  plan_->backward({});
  EXPECT_EQ(forwards, 0);
  EXPECT_EQ(plan_->loss(), 6.0F);
  EXPECT_EQ(grad("p", 0), 3.0F);
  evaluate.forward({});
  EXPECT_EQ(forwards, 1);
  EXPECT_EQ(evaluate.loss(), 6.0F);
}

TEST_F(StepTest, AnOpIsToldItsSiteRateAndStep) {
  Frame seen;
  const auto look = [&](const Frame& f) {
    seen = f;
    f.out.f32()[0] = 0;
  };
  const Randomness randomness{site_id("h.3.mlp"),
                              [](double progress) { return 0.4 * (1 - progress); }};
  compile(weighted_sum(tape_, "loss",
                       {lambda(tape_, "looks",
                               {look,
                                [&](const Frame& f) {
                                  seen = f;
                                  f.din[0].f32()[0] = 0;
                                }},
                               {tape_.param("p", {1}, {})}, randomness)}));
  plan_->forward({7, 8, 9, 0.25});
  EXPECT_EQ(seen.site, site_id("h.3.mlp"));
  EXPECT_FLOAT_EQ(seen.rate, 0.3F);
  EXPECT_EQ(seen.step.seed, 7U);
  EXPECT_EQ(seen.step.index, 8U);
  EXPECT_EQ(seen.step.first_row, 9U);
  plan_->backward({7, 8, 9, 0.5});
  EXPECT_FLOAT_EQ(seen.rate, 0.2F);
}

TEST_F(StepTest, ObserversSeeEveryEventOnce) {
  struct Count final : Observer {
    std::vector<int> calls;
    void event(std::size_t index, double seconds) override {
      EXPECT_GE(seconds, 0);
      ++calls.at(index);
    }
  } count;
  const Ref x = carry(tape_, "x", tape_.param("p", {3}, kNormal));
  compile(weighted_sum(tape_, "loss", {ops::gelu(tape_, "y", x)}));
  count.calls.resize(plan_->events().size());
  plan_->observe(&count);
  plan_->forward({});
  plan_->backward({});
  EXPECT_EQ(count.calls, std::vector<int>(plan_->events().size(), 1));
}

TEST_F(StepTest, MisuseIsRefused) {
  const Ref x = tape_.input("tokens", {3}, DType::kF32);
  const Ref p = tape_.param("p", {3}, kNormal);
  const Ref loss = weighted_sum(tape_, "loss", {tests::plus(tape_, "y", x, p)});
  Plan plan(std::move(tape_), loss, {});
  EXPECT_ERROR(plan.forward({}), "parameters are not allocated yet");
  params_.allocate(1);
  EXPECT_ERROR(plan.backward({}), "backward() before forward()");
  EXPECT_ERROR(plan.forward({}), "tokens: no memory is bound to this input");
  EXPECT_ERROR(plan.bind(p, nullptr), "bind p: not an input");
  float numbers[3] = {};
  plan.bind(x, numbers);
  plan.forward({});
}

TEST_F(StepTest, LossMustBeANumberThatDependsOnAParameter) {
  const auto with = [](const std::function<Ref(Tape&)>& record, bool training) {
    Params params;
    Tape tape(params);
    const Ref out = record(tape);
    PlanOptions options;
    options.training = training;
    Plan plan(std::move(tape), out, options);
    params.allocate(1);
    plan.backward({});
  };
  const auto vector = [](Tape& t) { return carry(t, "x", t.param("p", {3}, kNormal)); };
  const auto constant = [](Tape& t) {
    return weighted_sum(t, "loss", {t.input("x", {3}, DType::kF32)});
  };
  EXPECT_ERROR(with(vector, true), "loss: must be one number, has shape (3)");
  EXPECT_ERROR(with(constant, true), "loss: depends on no parameter");
  EXPECT_ERROR(with(vector, false), "backward() of a plan that was made without");
}

}  // namespace
}  // namespace engine
