// Norms, placements, activations and initial weights in a whole GPT, and batchnorm's statistics.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "engine/plan.h"
#include "engine/rng.h"
#include "models/gpt.h"
#include "ops/noise_op.h"

namespace models {
namespace {

using engine::Plan;
using engine::Ref;
using engine::Tape;
using Floats = std::vector<float>;

GptConfig small() {
  GptConfig c;
  c.n_layer = 2;
  c.n_head = 2;
  c.n_embd = 16;
  c.block_size = 8;
  c.vocab = 13;
  return c;
}

/// f(config, "norm place activation") for every norm at every placement, and every activation.
template <class F>
void for_each_config(const F& f) {
  for (const NormKind& norm : norm_kinds())
    for (const Placement& place : placements())
      for (const ops::ActivationKind& act : ops::activation_kinds()) {
        GptConfig c = small();
        c.norm = &norm;
        c.norm_place = &place;
        c.activation = &act;
        f(c, base::concat(norm.name, ' ', place.name, ' ', act.name));
      }
}

TEST(Norms, CountedParametersAreAllButThePositions) {
  for_each_config([](GptConfig c, const std::string& what) {
    for (const bool bias : {false, true})
      for (const bool qk_norm : {false, true})
        for (const std::int64_t hidden : {0, 44}) {
          c.bias = bias;
          c.qk_norm = qk_norm;
          c.mlp_hidden = hidden;
          engine::Params params;
          Tape tape(params);
          record_gpt(tape, c, 2, 8, Mode::kTrain);
          EXPECT_EQ(counted_parameters(c),
                    static_cast<double>(params.count() - c.block_size * c.n_embd))
              << what << " bias " << bias << " qk_norm " << qk_norm;
        }
  });
}

/// Logits of two batches that differ in the tokens from position 5 on, of a fresh model.
std::pair<Floats, Floats> logits_of_two(const GptConfig& c, Mode mode) {
  engine::Params params;
  Tape tape(params);
  const Gpt gpt = record_gpt(tape, c, 3, 8, mode, Output::kLogits);
  engine::PlanOptions options;
  options.training = false;
  options.keep = {gpt.logits};
  Plan plan(std::move(tape), gpt.loss, options);
  params.allocate(1);
  std::vector<std::int32_t> tokens(24), targets(24, 1);
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  std::pair<Floats, Floats> out;
  for (const int shift : {0, 3}) {
    for (int i = 0; i < 24; ++i)
      tokens[static_cast<std::size_t>(i)] = (i * 5 + (i % 8 >= 5 ? shift : 0)) % 13;
    plan.forward({});
    const float* x = plan.view(gpt.logits).f32();
    (shift == 0 ? out.first : out.second).assign(x, x + 24 * c.vocab);
  }
  return out;
}

/// Whether logits of positions 0…4 differ, and those of 5…7.
std::pair<bool, bool> seen(const GptConfig& c, Mode mode) {
  const auto [a, b] = logits_of_two(c, mode);
  std::pair<bool, bool> out{false, false};
  const auto V = static_cast<std::size_t>(c.vocab);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) (i / V % 8 < 5 ? out.first : out.second) = true;
  return out;
}

TEST(Norms, EvaluationIsCausal) {
  for_each_config([](GptConfig c, const std::string& what) {
    for (const bool qk_norm : {false, true}) {
      c.qk_norm = qk_norm;
      EXPECT_EQ(seen(c, Mode::kEval), std::pair(false, true)) << what;
    }
  });
}

// The statistics of a batch cover all positions, so in training an early one sees later ones.
TEST(Norms, OnlyBatchnormSeesLaterPositionsInTraining) {
  for_each_config([](const GptConfig& c, const std::string& what) {
    const bool leaks = c.norm->name == "batchnorm";
    EXPECT_EQ(leaks, c.norm->running);
    EXPECT_EQ(seen(c, Mode::kTrain), std::pair(leaks, true)) << what;
  });
}

/// The parameters of a fresh model, by name.
Floats initial(const GptConfig& c, const std::string& name) {
  engine::Params params;
  Tape tape(params);
  record_gpt(tape, c, 1, 1, Mode::kTrain);
  params.allocate(1);
  const int i = params.find(name);
  EXPECT_GE(i, 0) << name;
  return {params.value(i), params.value(i) + params[i].shape.numel()};
}

TEST(Norms, DeepnormsConstants) {
  const Placement& deep = placement("deepnorm");
  EXPECT_DOUBLE_EQ(deep.alpha(8), 2);
  EXPECT_DOUBLE_EQ(deep.beta(2), 0.5);
  GptConfig plain = small(), scaled = small();
  scaled.norm_place = &deep;                           // 2 layers: β = ½
  const double projection = 0.5 * std::sqrt(2.0 * 2);  // GPT-2's start is / √(2L)
  for (const auto& [name, factor] : {std::pair("h.1.attn.c_proj.weight", projection),
                                     {"h.1.mlp.c_proj.weight", projection},
                                     {"h.0.mlp.c_fc.weight", 0.5},
                                     {"wte.weight", 1.0}}) {
    const Floats a = initial(plain, name), b = initial(scaled, name);
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(static_cast<double>(b[i]), factor * static_cast<double>(a[i]), 1e-8) << name;
  }
  const Floats a = initial(plain, "h.0.attn.c_attn.weight"),
               b = initial(scaled, "h.0.attn.c_attn.weight");
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(b[i], (i % 48 < 32 ? 1.0F : 0.5F) * a[i]) << "q, k as they are, v × β: " << i;
}

TEST(Norms, LecunNormalHasAVarianceOfOneOverTheInputs) {
  GptConfig c = small();
  c.n_embd = 64;
  c.init = &init_kind("lecun");
  for (const auto& [name, inputs] : {std::pair("h.0.attn.c_attn.weight", 64.0),
                                     {"h.0.attn.c_proj.weight", 64.0},
                                     {"h.1.mlp.c_proj.weight", 256.0}}) {
    const Floats w = initial(c, name);
    double sum = 0;
    for (const float x : w) sum += static_cast<double>(x) * static_cast<double>(x);
    const auto n = static_cast<double>(w.size());
    EXPECT_NEAR(sum / n * inputs, 1, 4 * std::sqrt(2 / n)) << name;
  }
}

TEST(Norms, UnknownNamesAreRefusedWithTheValidOnes) {
  const auto error = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const base::Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error([] { norm_kind("batch"); }),
            "unknown norm 'batch'; choose from layernorm, rmsnorm, batchnorm, none");
  EXPECT_EQ(error([] { placement("x"); }),
            "unknown norm placement 'x'; choose from pre, post, sandwich, deepnorm");
  EXPECT_EQ(error([] { ops::activation_kind("x"); }),
            "unknown activation 'x'; choose from gelu, relu, selu, swiglu");
  EXPECT_EQ(error([] { init_kind("x"); }), "unknown init 'x'; choose from gpt2, lecun");
}

}  // namespace
}  // namespace models
