// What a plan promises: gradients summed where a value is used twice, kept values, recomputation,
// accumulation, and clear errors.
#include "engine/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

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

std::vector<float> copy(const float* p, std::int64_t n) { return {p, p + n}; }
std::vector<float> grad(const Params& params, std::string_view name) {
  const int i = params.find(name);
  return copy(params.grad(i), params[i].shape.numel());
}

/// A tape whose plan is made once the model is recorded.
class PlanTest : public testing::Test {
 protected:
  Plan& compile(Ref out, PlanOptions options = {}) {
    plan_.emplace(std::move(tape_), out, std::move(options));
    if (!params_.allocated()) params_.allocate(1);
    return *plan_;
  }
  void step(bool accumulate = false) {
    plan_->forward({});
    plan_->backward({}, accumulate);
  }
  std::vector<float> grad(std::string_view name) const { return engine::grad(params_, name); }

  Params params_;
  Tape tape_{params_};
  std::optional<Plan> plan_;
};

/// Three layers of matmul, gelu and a sum with the input, as segments 0, 1, 2.
Ref record_layers(Tape& tape) {
  Ref x = carry(tape, "x0", tape.param("x", {6, 16}, kNormal));
  for (int i = 0; i < 3; ++i) {
    tape.segment(i);
    const std::string h = "h." + std::to_string(i);
    const Ref up = ops::matmul(tape, h + ".up", x, tape.param(h + ".w", {16, 64}, kNormal));
    const Ref act = ops::gelu(tape, h + ".act", up);
    const Ref down = ops::matmul(tape, h + ".down", act, tape.param(h + ".v", {64, 16}, kNormal));
    x = tests::plus(tape, h + ".add", x, down);
  }
  tape.segment(-1);
  return weighted_sum(tape, "loss", {x});
}

TEST_F(PlanTest, ATiedParameterSumsItsGradients) {
  std::int32_t tokens[] = {3, 1, 3, 0}, targets[] = {1, 3, 0, 2};
  const auto run = [&](const char* head) {
    Params params;
    Tape tape(params);
    const Ref ids = tape.input("ids", {1, 4}, DType::kI32);
    const Ref next = tape.input("targets", {1, 4}, DType::kI32);
    const Ref x = ops::embedding(tape, "emb", ids, tape.param("wte", {5, 8}, kNormal),
                                 tape.param("wpe", {4, 8}, kNormal));
    const Ref logits =
        ops::matmul(tape, "logits", x, tape.param(head, {5, 8}, kNormal), {}, ops::Weight::kOutIn);
    Plan plan(std::move(tape), ops::cross_entropy(tape, "loss", logits, next), {});
    params.allocate(1);
    if (params.find("head") >= 0)
      std::copy_n(params.value(params.find("wte")), 40, params.value(params.find("head")));
    plan.bind(ids, tokens);
    plan.bind(next, targets);
    plan.forward({});
    plan.backward({});
    std::vector<float> sum = engine::grad(params, "wte");
    if (params.find("head") >= 0) {
      const std::vector<float> other = engine::grad(params, "head");
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
    }
    return sum;
  };
  const std::vector<float> tied = run("wte"), apart = run("head");
  for (std::size_t i = 0; i < tied.size(); ++i) EXPECT_NEAR(tied[i], apart[i], 1e-6F) << i;
}

TEST_F(PlanTest, AValueAddedToItselfGetsTwiceTheGradient) {
  const Ref x = carry(tape_, "x", tape_.param("p", {5}, kNormal));
  compile(weighted_sum(tape_, "loss", {tests::plus(tape_, "twice", x, x)}));
  step();
  for (int i = 0; i < 5; ++i)
    EXPECT_FLOAT_EQ(grad("p")[static_cast<std::size_t>(i)], static_cast<float>(2 * weight(0, i)));
}

TEST_F(PlanTest, RecomputationSavesMemoryAndKeepsTheBits) {
  const auto run = [](bool recompute, bool poison) {
    Params params;
    Tape tape(params);
    const Ref loss = record_layers(tape);
    PlanOptions options;
    options.recompute = recompute;
    options.poison = poison;
    Plan plan(std::move(tape), loss, options);
    params.allocate(1);
    plan.forward({});
    plan.backward({});
    std::vector<float> bits = {plan.loss()};
    for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
      bits.insert(bits.end(), params.grad(i), params.grad(i) + params[i].shape.numel());
    return std::pair(bits, plan.arena_bytes());
  };
  const auto [kept, kept_bytes] = run(false, false);
  const auto [recomputed, recomputed_bytes] = run(true, false);
  EXPECT_EQ(recomputed, kept);
  EXPECT_LT(recomputed_bytes, kept_bytes);
  EXPECT_EQ(run(false, true).first, kept);
  EXPECT_EQ(run(true, true).first, kept);
}

TEST_F(PlanTest, PlansTakeTurnsInLentMemory) {
  Plan& plan = compile(record_layers(tape_), {});
  Params params;
  Tape tape(params);
  const Ref loss = record_layers(tape);
  Plan other(std::move(tape), loss, {.training = false});
  Buffer arena(std::max(plan.arena_bytes(), other.arena_bytes()));
  EXPECT_ERROR(plan.lend({arena.data(), plan.arena_bytes() - 1}), "bytes lent");
  plan.lend({arena.data(), arena.size()});
  other.lend({arena.data(), arena.size()});
  params.allocate(2);
  const auto step = [](Plan& p) {
    p.forward({});
    return p.loss();
  };
  const float a = step(plan), b = step(other);
  EXPECT_NE(a, b);
  EXPECT_EQ(step(plan), a);
  EXPECT_EQ(step(other), b);
  EXPECT_ERROR(plan.lend({arena.data(), arena.size()}), "after prepare()");
}

TEST_F(PlanTest, ReplaysEachNodeOnceAndBeforeItIsRead) {
  PlanOptions options;
  options.recompute = true;
  const Plan& plan = compile(record_layers(tape_), options);
  std::set<int> replayed, gone;
  for (const Event& e : plan.events()) {
    const Node& node = plan.tape().nodes()[static_cast<std::size_t>(e.node)];
    if (e.kind == Event::Kind::kReplay) {
      EXPECT_TRUE(replayed.insert(e.node).second) << node.name;
      EXPECT_TRUE(gone.empty() || e.node < *gone.begin()) << node.name << ": replayed too late";
    }
    if (e.kind == Event::Kind::kBackward) gone.insert(e.node);
  }
  EXPECT_GE(replayed.size(), 6U);  // up and act of three layers
}

TEST_F(PlanTest, StateIsWrittenInTheFirstPassOnly) {
  const Ref count = tape_.state("count", {1}, {});
  const Ref x = carry(tape_, "x", tape_.param("p", {4}, kNormal));
  Needs needs;
  needs.inputs = 0;
  needs.replayable = needs.cheap = true;
  int forwards = 0;
  const Ref y =
      lambda(tape_, "counts",
             {[&](const Frame& f) {
                ++forwards;
                if (!f.replay) *f.state[0].f32() += 1;
                std::copy_n(f.in[0].f32(), 4, f.out.f32());
              },
              [](const Frame& f) { std::copy_n(f.dout.f32(), 4, f.din[0].f32()); }, needs},
             {x}, {}, {count});
  PlanOptions options;
  options.replay_from = 0;
  compile(weighted_sum(tape_, "loss", {tests::square(tape_, "sq", y)}), options);
  step();
  EXPECT_EQ(forwards, 2);
  EXPECT_EQ(*plan_->view(count).f32(), 1.0F);
}

TEST_F(PlanTest, KeptValuesSurviveTheStepAndOthersSaySo) {
  const Ref x = carry(tape_, "x", tape_.param("p", {4, 8}, kNormal));
  const Ref y = ops::gelu(tape_, "kept", x), z = ops::gelu(tape_, "lost", y);
  PlanOptions options;
  options.keep = {y};
  options.poison = true;
  compile(weighted_sum(tape_, "loss", {ops::gelu(tape_, "last", z)}), options);
  plan_->forward({});
  const std::vector<float> before = copy(plan_->view(y).f32(), 32);
  plan_->backward({});
  EXPECT_EQ(copy(plan_->view(y).f32(), 32), before);
  EXPECT_TRUE(std::none_of(before.begin(), before.end(), [](float v) { return std::isnan(v); }));
  EXPECT_ERROR(plan_->view(z), "lost: is not kept by this plan");
}

TEST_F(PlanTest, PassedThroughGradientsShareMemory) {
  const void* dout = nullptr;
  std::vector<const void*> din;
  Needs needs;
  needs.inputs = 0;
  needs.pass_through = 0b11;
  const Ref a = carry(tape_, "a", tape_.param("pa", {4}, kNormal));
  const Ref b = carry(tape_, "b", tape_.param("pb", {4}, kNormal));
  const Ref sum = lambda(tape_, "sum",
                         {[](const Frame& f) {
                            for (int i = 0; i < 4; ++i)
                              f.out.f32()[i] = f.in[0].f32()[i] + f.in[1].f32()[i];
                          },
                          [&](const Frame& f) {
                            dout = f.dout.data;
                            for (const Grad& g : f.din) {
                              din.push_back(g.view.data);
                              if (g.f32() != f.dout.f32()) std::copy_n(f.dout.f32(), 4, g.f32());
                            }
                          },
                          needs},
                         {a, b});
  // `a` is used before as well, so its gradient is added to in the shared memory.
  PlanOptions options;
  options.poison = true;
  compile(weighted_sum(tape_, "loss", {carry(tape_, "out", sum)}), options);
  step();
  ASSERT_EQ(din.size(), 2U);
  EXPECT_EQ(din[0], dout);
  EXPECT_NE(din[1], dout);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(grad("pa")[static_cast<std::size_t>(i)], static_cast<float>(weight(0, i)));
    EXPECT_EQ(grad("pb")[static_cast<std::size_t>(i)], static_cast<float>(weight(0, i)));
  }
}

TEST_F(PlanTest, ASharedGradientIsAddedToByEarlierConsumers) {
  // d/dx of w0·(x + x²) + w1·x², where the sum's gradient and x's first one share memory.
  const Ref x = carry(tape_, "x", tape_.param("p", {6}, kNormal));
  const Ref squared = tests::square(tape_, "sq", x);
  const Ref sum = tests::plus(tape_, "add", x, squared);
  PlanOptions options;
  options.poison = true;
  compile(weighted_sum(tape_, "loss", {sum, squared}), options);
  step();
  const float* p = params_.value(params_.find("p"));
  for (int i = 0; i < 6; ++i) {
    const double v = static_cast<double>(p[i]);
    EXPECT_NEAR(static_cast<double>(grad("p")[static_cast<std::size_t>(i)]),
                weight(0, i) * (1 + 2 * v) + weight(1, i) * 2 * v, 1e-6);
  }
}

TEST_F(PlanTest, TellsEachGradientWhenItIsComplete) {
  // w is written behind the others and before them; nobody writes the two that the loss does not
  // depend on.
  const Ref x = carry(tape_, "x0", tape_.param("x", {4, 8}, kNormal));
  const Ref w = tape_.param("w", {8, 8}, kNormal);
  const Ref a = ops::matmul(tape_, "a", x, w);
  const Ref b = ops::matmul(tape_, "b", a, tape_.param("v", {8, 8}, kNormal));
  const Ref c = ops::matmul(tape_, "c", b, w);
  ops::matmul(tape_, "aside", b, tape_.param("unread", {8, 8}, kNormal));
  tape_.param("unused", {3}, kNormal);
  tape_.state("count", {1}, {});
  const Plan& plan = compile(weighted_sum(tape_, "loss", {c}));

  std::vector<std::string> order;
  for (const auto& [event, param] : plan.completions()) {
    const Event& e = plan.events()[static_cast<std::size_t>(std::max(event, 0))];
    const std::string behind =
        event < 0 ? "-" : plan.tape().nodes()[static_cast<std::size_t>(e.node)].name;
    order.push_back(params_[param].name + " " + behind);
    EXPECT_EQ(event < 0, e.kind != Event::Kind::kBackward);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"unread -", "unused -", "v b", "w a", "x x0"}));

  std::vector<int> told;
  std::vector<std::vector<float>> then;
  for (const bool accumulate : {false, true}) {
    told.clear(), then.clear();
    plan_->forward({});
    plan_->backward({}, accumulate, [&](int param) {
      told.push_back(param);
      then.push_back(grad(params_[param].name));
    });
    ASSERT_EQ(told.size(), plan.completions().size());
    for (std::size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i], plan.completions()[i].param);
      EXPECT_EQ(then[i], grad(params_[told[i]].name)) << params_[told[i]].name;
    }
  }
  EXPECT_THROW(plan_->backward({}, false, [](int) { throw base::Error("enough"); }), base::Error);
  step();
}

}  // namespace
}  // namespace engine
