// Poison mode finds ops that touch memory they were not lent: each op here is wrong on purpose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/plan.h"
#include "tests/expect_error.h"
#include "tests/ops/test_ops.h"

namespace engine {
namespace {

using tests::carry;
using tests::lambda;
using tests::LambdaOp;

constexpr std::int64_t kN = 17;  // not a multiple of the alignment: an overrun may stay within it

void copy_forward(const Frame& f) { std::copy_n(f.in[0].f32(), kN, f.out.f32()); }
void copy_backward(const Frame& f) { std::copy_n(f.dout.f32(), kN, f.din[0].f32()); }

Needs no_inputs() {
  Needs needs;
  needs.inputs = 0;
  return needs;
}

/// One poisoned step through `op`; the gradient that reaches the parameter.
std::vector<float> step_through(LambdaOp op) {
  Params params;
  Tape tape(params);
  const Ref p = tape.param("p", {kN}, {Init::Kind::kConstant, 1});
  const Ref y = lambda(tape, "wrong", std::move(op), {carry(tape, "x", p)});
  const Ref loss = tests::weighted_sum(tape, "loss", {carry(tape, "z", y)});
  PlanOptions options;
  options.poison = true;
  Plan plan(std::move(tape), loss, options);
  params.allocate(1);
  plan.forward({});
  plan.backward({});
  std::vector<float> result = {plan.loss()};
  result.insert(result.end(), params.grad(0), params.grad(0) + kN);
  return result;
}

bool any_nan(const std::vector<float>& v) {
  return std::any_of(v.begin(), v.end(), [](float x) { return std::isnan(x); });
}

TEST(Poison, LetsARightOpPass) {
  const std::vector<float> got = step_through({copy_forward, copy_backward, no_inputs()});
  EXPECT_FALSE(any_nan(got));
  EXPECT_EQ(got[1], static_cast<float>(tests::weight(0, 0)));
}

TEST(Poison, FindsAnOverrunOfEveryBuffer) {
  Needs needs = no_inputs();
  needs.saved = needs.scratch_forward = needs.scratch_backward = kN * sizeof(float);
  const auto past = [](auto* p) { p[kN] = 0; };
  const auto expect = [&](auto forward, auto backward) {
    const LambdaOp op{[=](const Frame& f) { copy_forward(f), forward(f); },
                      [=](const Frame& f) { copy_backward(f), backward(f); }, needs};
    EXPECT_ERROR(step_through(op), "wrong: wrote past the end of a buffer of 68 bytes");
  };
  const auto nothing = [](const Frame&) {};
  expect([=](const Frame& f) { past(f.out.f32()); }, nothing);
  expect([=](const Frame& f) { past(f.saved_as<float>()); }, nothing);
  expect([=](const Frame& f) { past(f.scratch_as<float>()); }, nothing);
  expect(nothing, [=](const Frame& f) { past(f.din[0].f32()); });
  expect(nothing, [=](const Frame& f) { past(f.scratch_as<float>()); });
}

TEST(Poison, FindsAUseAfterDeath) {
  // The op remembers where its input was and reads it in backward without having asked for it.
  const float* input = nullptr;
  EXPECT_TRUE(any_nan(step_through({[&](const Frame& f) {
                                      input = f.in[0].f32();
                                      copy_forward(f);
                                    },
                                    [&](const Frame& f) {
                                      for (int i = 0; i < kN; ++i)
                                        f.din[0].f32()[i] = f.dout.f32()[i] * input[i];
                                    },
                                    no_inputs()})));
}

TEST(Poison, FindsAReadOfWhatNobodyWrote) {
  EXPECT_TRUE(any_nan(
      step_through({[](const Frame& f) { f.out.f32()[0] = 1; }, copy_backward, no_inputs()})));
  // Adding where it should assign.
  EXPECT_TRUE(any_nan(step_through({copy_forward,
                                    [](const Frame& f) {
                                      for (int i = 0; i < kN; ++i)
                                        f.din[0].f32()[i] += f.dout.f32()[i];
                                    },
                                    no_inputs()})));
  Needs saves = no_inputs();
  saves.saved = kN * sizeof(float);
  EXPECT_TRUE(any_nan(step_through(
      {copy_forward, [](const Frame& f) { std::copy_n(f.saved_as<float>(), kN, f.din[0].f32()); },
       saves})));
}

TEST(Poison, WhatBackwardDidNotAskForIsNotLent) {
  const float *input = nullptr, *output = nullptr;
  bool called = false;
  step_through({copy_forward,
                [&](const Frame& f) {
                  called = true;
                  input = f.in[0].f32();
                  output = f.out.f32();
                  copy_backward(f);
                },
                no_inputs()});
  EXPECT_TRUE(called);
  EXPECT_EQ(input, nullptr);
  EXPECT_EQ(output, nullptr);
}

}  // namespace
}  // namespace engine
