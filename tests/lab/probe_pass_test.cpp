// What the probe looks at are the values that the model computes with.
#include "lab/probe/probe_pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/lab/probe_settings.h"
#include "train/config/architecture.h"

namespace {

using Floats = std::vector<float>;
using tests::small;

/// A model in one mode, with its values at hand.
struct Recorded {
  engine::Params params;
  models::GptConfig config;
  models::Gpt gpt;
  std::optional<engine::Plan> plan;
  std::vector<std::int32_t> tokens, targets;
  std::vector<lab::Tap> taps;  // with what every hook returns, but at attention weights

  Recorded(const std::string& reg, models::Mode mode) {
    config = train::gpt_config(small(reg), 15);
    const models::Hooks hooks(config.regularizers, mode, config.n_layer);
    engine::Tape tape(params);
    gpt = models::record_gpt(tape, config, 6, config.block_size, mode, models::Output::kLogits);
    taps = lab::find_taps(tape);
    for (lab::Tap& t : taps)
      if (t.hook != models::HookId::kAttnWeights && !t.returned)
        t.returned = hooks.apply(tape, t.hook, t.layer, t.handed, gpt.tokens);
    engine::PlanOptions options;
    options.training = false;
    for (std::size_t i = 0; i < tape.values().size(); ++i)
      if (tape.values()[i].producer >= 0) options.keep.push_back({static_cast<int>(i)});
    plan.emplace(std::move(tape), gpt.loss, options);
    params.allocate(3);
    tokens.resize(static_cast<std::size_t>(6 * config.block_size));
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i % 15);
    targets = tokens;
    plan->bind(gpt.tokens, tokens.data());
    plan->bind(gpt.targets, targets.data());
  }
  Floats value(engine::Ref r) const {
    const engine::View v = plan->view(r);
    return {v.f32(), v.f32() + v.shape->numel()};
  }
  const engine::Node& node(std::string_view name) const {
    for (const engine::Node& n : plan->tape().nodes())
      if (n.name == name) return n;
    throw std::logic_error(std::string(name));
  }
};

constexpr engine::Step kStep{.seed = 7, .index = 2, .first_row = 12, .progress = 0.5};

TEST(ProbePass, ReturnsWhatTheModelAdds) {
  Recorded m("dropout:0.3+gaussian_dropout:0.2@attn/mlp+layer_drop:0.4", models::Mode::kTrain);
  m.plan->forward(kStep);
  int branches = 0;
  for (const lab::Tap& tap : m.taps) {
    if (tap.hook != models::HookId::kAttn && tap.hook != models::HookId::kMlp) continue;
    const engine::Node& node = m.node(models::site_name(tap.hook, tap.layer) + ".residual");
    const Floats stream = m.value(node.in[0]), sum = m.value(node.out), b = m.value(tap.returned);
    for (std::size_t i = 0; i < sum.size(); ++i)
      ASSERT_NEAR(stream[i] + b[i], sum[i], 1e-6) << node.name << ' ' << i;
    ++branches;
  }
  EXPECT_EQ(branches, 4);
}

// The weights that the fused op is asked for, times its values, are what it computed.
TEST(ProbePass, AttentionWeightsAreTheOnesUsed) {
  for (const char* reg : {"none", "dropout:0.3@attn_weights", "drop_head:0.5",
                          "gaussian_dropout:0.3@attn_weights", "dropout_original:0.3"})
    for (const models::Mode mode : {models::Mode::kTrain, models::Mode::kEval}) {
      Recorded m(reg, mode);
      m.plan->forward(kStep);
      const models::Hooks hooks(m.config.regularizers, mode, m.config.n_layer);
      const std::size_t B = 6, T = 24, C = 16, NH = 2, hs = 8;
      for (const lab::Tap& tap : m.taps) {
        if (tap.hook != models::HookId::kAttnWeights) continue;
        lab::AttentionWeights weights(m.params, m.config, hooks, tap.layer,
                                      m.plan->tape().shape(tap.handed));
        const Floats qkv = m.value(tap.handed), out = m.value(tap.behind);
        std::vector<double> expected(out.size(), 0.0);
        std::uint64_t count = 0;
        std::size_t key = 0;
        weights.run(kStep, qkv.data(), [&](std::span<const float> w) {
          std::size_t at = 0;
          for (std::size_t row = 0; row < B * T; ++row)
            for (std::size_t h = 0; h < NH; ++h)
              for (std::size_t j = key; j < std::min(key + hs, row % T + 1); ++j, ++at)
                for (std::size_t d = 0; d < hs; ++d)
                  expected[row * C + h * hs + d] +=
                      static_cast<double>(w[at]) *
                      static_cast<double>(qkv[(row / T * T + j) * 3 * C + 2 * C + h * hs + d]);
          EXPECT_EQ(at, w.size());
          count += w.size();
          key += hs;
        });
        EXPECT_EQ(count, weights.count());
        EXPECT_EQ(count, B * NH * T * (T + 1) / 2);
        for (std::size_t i = 0; i < out.size(); ++i)
          ASSERT_NEAR(expected[i], static_cast<double>(out[i]), 1e-6) << reg << ' ' << i;
      }
    }
}

}  // namespace
