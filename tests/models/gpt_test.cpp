// Dropout as dropout is, on the whole GPT: off in evaluation, nothing at rate 0, the same masks
// however a batch is divided, the gradient of the very loss that was computed.
#include "models/gpt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "engine/plan.h"
#include "engine/rng.h"

namespace models {
namespace {

using engine::Plan;
using engine::Step;
using Floats = std::vector<float>;

constexpr std::int64_t kBatch = 12, kTime = 16;
constexpr Step kStep{.seed = 5, .index = 7, .first_row = 0, .progress = 0.5};

GptConfig config_of(double dropout, bool bias = false) {
  GptConfig c;
  c.n_layer = 2;
  c.n_head = 2;
  c.n_embd = 32;
  c.block_size = kTime;
  c.vocab = 19;
  c.bias = bias;
  c.regularizers = gpt2_dropout(dropout);
  return c;
}

/// A recorded GPT over `rows` rows of one batch of kBatch.
class Model {
 public:
  struct Options {
    Mode mode = Mode::kTrain;
    Output output = Output::kLoss;
    std::int64_t rows = kBatch;
    bool recompute = false;
    std::string keep = {};  // name of a value
    std::function<void(engine::Tape&)> edit = {};
  };

  explicit Model(const GptConfig& config) : Model(config, Options{}) {}
  Model(const GptConfig& config, const Options& options) : rows_(options.rows) {
    engine::Tape tape(params);
    gpt_ = record_gpt(tape, config, rows_, kTime, options.mode, options.output);
    if (options.edit) options.edit(tape);
    engine::PlanOptions plan_options;
    plan_options.training = options.mode == Mode::kTrain;
    plan_options.recompute = options.recompute;
    if (gpt_.logits) plan_options.keep = {gpt_.logits};
    for (const engine::Node& node : tape.nodes())
      if (!options.keep.empty() && node.name == options.keep) {
        kept_ = node.out;
        plan_options.keep.push_back(kept_);
      }
    plan_.emplace(std::move(tape), gpt_.loss, plan_options);
    params.allocate(3);
    engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 2);
    for (int i = 0; i < kBatch * kTime; ++i) {
      tokens_.push_back(static_cast<std::int32_t>(random.below(19)));
      targets_.push_back(static_cast<std::int32_t>(random.below(19)));
    }
  }

  /// The loss, with gradients where it trains. The rows are those from step.first_row on.
  float run(const Step& step, bool accumulate = false) {
    const auto first = static_cast<std::ptrdiff_t>(step.first_row) * kTime;
    plan_->bind(gpt_.tokens, tokens_.data() + first);
    plan_->bind(gpt_.targets, targets_.data() + first);
    plan_->forward(step);
    if (kept_) {
      const float* from = plan_->view(kept_).f32();
      kept.assign(from, from + plan_->view(kept_).shape->numel());
    }
    if (!gradients_) return plan_->loss();
    plan_->backward(step, accumulate);
    return plan_->loss();
  }
  float evaluate() {
    gradients_ = false;
    return run(kStep);
  }

  Floats gradients() const {
    Floats all;
    for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
      all.insert(all.end(), params.grad(i), params.grad(i) + params[i].shape.numel());
    return all;
  }
  Floats logits() const {
    const engine::View v = plan_->view(gpt_.logits);
    return {v.f32(), v.f32() + v.shape->numel()};
  }
  Plan& plan() { return *plan_; }

  engine::Params params;
  Floats kept;

 private:
  std::int64_t rows_;
  Gpt gpt_;
  engine::Ref kept_;
  std::optional<Plan> plan_;
  std::vector<std::int32_t> tokens_, targets_;
  bool gradients_ = true;
};

double distance(const Floats& a, const Floats& b) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    off += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(off / size);
}

TEST(Gpt, EvaluationIsTheSameBitsAtAnyRate) {
  const auto evaluated = [](double rate) {
    Model model(config_of(rate), {.mode = Mode::kEval, .output = Output::kLogits});
    const float loss = model.evaluate();
    return std::pair(loss, model.logits());
  };
  const auto plain = evaluated(0);
  EXPECT_NEAR(plain.first, std::log(19.0), 0.2);
  for (const double rate : {0.1, 0.5, 0.99}) EXPECT_EQ(evaluated(rate), plain) << rate;
}

TEST(Gpt, ARateThatIsZeroForTheMomentChangesNoBit) {
  Model without(config_of(0)), with(config_of(0.5)),
      silent(config_of(0.5), {.edit = [](auto&t) {
               for (engine::Node& node : t.nodes())
                 if (node.randomness.rate) node.randomness.rate = [](double) { return 0.0; };
             }});
  const float loss = without.run(kStep);
  EXPECT_NE(with.run(kStep), loss);
  EXPECT_EQ(silent.run(kStep), loss);
  EXPECT_NE(with.gradients(), without.gradients());
  EXPECT_EQ(silent.gradients(), without.gradients());
}

TEST(Gpt, DropoutLeavesANodeAtEachOfItsPlacesAndNoneInEvaluation) {
  const auto hooks = [](double rate, Mode mode) {
    engine::Params params;
    engine::Tape tape(params);
    record_gpt(tape, config_of(rate), kBatch, kTime, mode);
    std::vector<std::uint32_t> sites;
    for (const engine::Node& node : tape.nodes())
      if (node.randomness.rate) sites.push_back(node.randomness.site);
    return sites;
  };
  const auto sites = hooks(0.1, Mode::kTrain);
  EXPECT_EQ(sites.size(), 1U + 3U * 2U);  // embedding; attention weights and two branches a layer
  EXPECT_EQ(std::set<std::uint32_t>(sites.begin(), sites.end()).size(), sites.size());
  EXPECT_TRUE(hooks(0.1, Mode::kEval).empty());
  EXPECT_TRUE(hooks(0, Mode::kTrain).empty());
}

TEST(Gpt, TwoMicroStepsOfSixGiveTheMasksOfOneStepOfTwelve) {
  Model whole(config_of(0.3), {.keep = "emb.dropout"});
  Model half(config_of(0.3), {.rows = kBatch / 2, .keep = "emb.dropout"});
  half.plan().set_loss_scale(0.5F);
  Step second = kStep;
  second.first_row = kBatch / 2;

  const float loss = whole.run(kStep);
  const float first_loss = half.run(kStep);
  Floats kept = half.kept;
  const float second_loss = half.run(second, true);
  kept.insert(kept.end(), half.kept.begin(), half.kept.end());
  EXPECT_NEAR((first_loss + second_loss) / 2, loss, 1e-6);
  EXPECT_LT(distance(half.gradients(), whole.gradients()), 1e-6);

  ASSERT_EQ(kept.size(), whole.kept.size());
  EXPECT_EQ(kept, whole.kept);  // the same elements dropped, the others scaled alike
  const auto dropped = std::count(kept.begin(), kept.end(), 0.0F);
  EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(kept.size()), 0.3, 0.03);

  // Masks that forgot where the second micro-step begins would show.
  Model forgetful(config_of(0.3), {.rows = kBatch / 2});
  forgetful.plan().set_loss_scale(0.5F);
  forgetful.run(kStep);
  forgetful.run(kStep, true);
  EXPECT_GT(distance(forgetful.gradients(), whole.gradients()), 1e-2);
}

// Each parameter in turn moves along its gradient, unevenly so that no error hides at a right angle
// to it. The mask is that of kStep throughout, so the f32 loss must rise as the gradient says; what
// the difference of two losses rounded to 24 bits leaves open is well below 1 %.
TEST(Gpt, GradientsAreThoseOfTheLossWithDropoutOn) {
  Model model(config_of(0.3, true));
  engine::Sequence random(engine::stream_key(9, engine::Stream::kSample), 3);
  for (int i = 0; i < static_cast<int>(model.params.list().size()); ++i) {
    float* value = model.params.value(i);
    // Far enough from the initial values for every term to matter.
    for (std::int64_t j = 0; j < model.params[i].shape.numel(); ++j)
      value[j] += 0.15F * static_cast<float>(2 * random.uniform() - 1);
  }
  model.run(kStep);
  const engine::Params& params = model.params;
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i) {
    const auto n = static_cast<std::size_t>(params[i].shape.numel());
    float* value = params.value(i);
    const Floats start(value, value + n);
    model.run(kStep);
    const Floats gradient(params.grad(i), params.grad(i) + n);
    double slope = 0, length = 0;
    Floats along(n);
    for (std::size_t j = 0; j < n; ++j) {
      along[j] = gradient[j] * (random.below(2) == 0 ? 0.25F : 1.75F);
      slope += static_cast<double>(gradient[j]) * static_cast<double>(along[j]);
      length += std::pow(static_cast<double>(along[j]), 2);
    }
    ASSERT_GT(length, 0) << params[i].name;
    const double reach = 0.02 / std::sqrt(length);
    const auto loss_at = [&](double t) {
      for (std::size_t j = 0; j < n; ++j) value[j] = start[j] + static_cast<float>(t) * along[j];
      const auto loss = static_cast<double>(model.run(kStep));
      std::copy(start.begin(), start.end(), value);
      return loss;
    };
    const double measured = (loss_at(reach) - loss_at(-reach)) / (2 * reach);
    EXPECT_NEAR(measured / slope, 1, 0.01) << params[i].name << ", slope " << slope * reach;
  }
}

TEST(Gpt, RecomputingActivationsGivesTheSameBits) {
  Model kept(config_of(0.3)), recomputed(config_of(0.3), {.recompute = true});
  EXPECT_EQ(recomputed.run(kStep), kept.run(kStep));
  EXPECT_EQ(recomputed.gradients(), kept.gradients());
  EXPECT_LT(recomputed.plan().arena_bytes(), kept.plan().arena_bytes());
  const auto replays = [](const Plan& plan) {
    return std::count_if(plan.events().begin(), plan.events().end(), [](const engine::Event& e) {
      return e.kind == engine::Event::Kind::kReplay;
    });
  };
  EXPECT_GT(replays(recomputed.plan()), replays(kept.plan()));
}

TEST(Gpt, MasksDifferByStepAndSeedAndNotByProgress) {
  Model model(config_of(0.3), {.keep = "emb.dropout"});
  model.run(kStep);
  const Floats kept = model.kept;
  Step other = kStep;
  other.progress = 0.9;
  model.run(other);
  EXPECT_EQ(model.kept, kept);
  other = kStep;
  other.index = 8;
  model.run(other);
  EXPECT_NE(model.kept, kept);
  other = kStep;
  other.seed = 6;
  model.run(other);
  EXPECT_NE(model.kept, kept);
}

}  // namespace
}  // namespace models
