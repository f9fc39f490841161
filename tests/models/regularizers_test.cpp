// Regularizers in a model: nodes, exact copies, evaluation forms, and what each family does.
#include "models/regularizers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/rng.h"
#include "models/gpt.h"
#include "models/regularizer_grammar.h"

namespace models {
void PrintTo(const Regularizer& row, std::ostream* out);
namespace {

using engine::Step;
using Floats = std::vector<float>;

constexpr std::int64_t kB = 4, kT = 8, kVocab = 11;

/// A small GPT with regularizers, on fixed tokens; samples 2i and 2i + 1 are the same.
class RegularizedModel {
 public:
  explicit RegularizedModel(std::string_view reg, Mode mode = Mode::kTrain,
                            std::vector<std::string> keep = {})
      : tokens_(kB * kT), targets_(kB * kT) {
    GptConfig config;
    config.n_layer = 2, config.n_head = 2, config.n_embd = 16;
    config.block_size = kT, config.vocab = kVocab;
    config.regularizers = parse_regularizers(reg);
    engine::Tape tape(params_);
    gpt_ = record_gpt(tape, config, kB, kT, mode, Output::kLogits);
    engine::PlanOptions options;
    options.training = mode == Mode::kTrain;
    options.keep = {gpt_.cross_entropy, gpt_.logits};
    for (std::size_t i = 0; i < tape.values().size(); ++i)
      if (std::find(keep.begin(), keep.end(), tape.values()[i].name) != keep.end())
        options.keep.push_back({static_cast<int>(i)});
    plan_.emplace(std::move(tape), gpt_.loss, options);
    params_.allocate(3);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::size_t at = i / (2 * kT) * kT + i % kT;
      tokens_[i] = static_cast<std::int32_t>(at * at % kVocab);
      targets_[i] = static_cast<std::int32_t>((at * 5 + 1) % kVocab);
    }
    plan_->bind(gpt_.tokens, tokens_.data());
    plan_->bind(gpt_.targets, targets_.data());
  }

  RegularizedModel& run(Step step = {.seed = 7, .index = 2, .progress = 0.25}) {
    plan_->forward(step);
    if (training()) plan_->backward(step);
    return *this;
  }
  bool training() const { return plan_->events().back().kind == engine::Event::Kind::kBackward; }

  float loss() const { return plan_->loss(); }
  float cross_entropy() const { return *plan_->view(gpt_.cross_entropy).f32(); }
  Floats value(std::string_view name) const {
    for (std::size_t i = 0; i < tape().values().size(); ++i)
      if (tape().values()[i].name == name) {
        const engine::View v = plan_->view({static_cast<int>(i)});
        return {v.f32(), v.f32() + v.shape->numel()};
      }
    return {};
  }
  Floats logits() const { return value("head"); }
  Floats gradients() const {
    Floats out;
    for (std::size_t i = 0; i < params_.list().size(); ++i) {
      const float* g = params_.grad(static_cast<int>(i));
      out.insert(out.end(), g, g + params_[static_cast<int>(i)].shape.numel());
    }
    return out;
  }
  const engine::Tape& tape() const { return plan_->tape(); }
  /// "name op site" of every node with a rate.
  std::vector<std::string> regularized() const {
    std::vector<std::string> out;
    for (const engine::Node& node : tape().nodes())
      if (node.randomness.rate) out.push_back(node.name + ' ' + std::string(node.op->name()));
    return out;
  }
  const engine::Node* node(std::string_view name) const {
    for (const engine::Node& n : tape().nodes())
      if (n.name == name) return &n;
    return nullptr;
  }

 private:
  engine::Params params_;
  Gpt gpt_;
  std::optional<engine::Plan> plan_;
  std::vector<std::int32_t> tokens_, targets_;
};

std::vector<Regularizer> in_reg() {
  std::vector<Regularizer> out(regularizer_table().begin(), regularizer_table().end());
  std::erase_if(out, [](const Regularizer& r) { return r.family == Family::kOptimizer; });
  return out;
}

class EveryRegularizer : public testing::TestWithParam<Regularizer> {
 protected:
  std::string spelled(std::string_view rate, std::string_view rest = {}) const {
    std::string out(GetParam().name);
    return out.append(":").append(rate).append(rest);
  }
};
INSTANTIATE_TEST_SUITE_P(Table, EveryRegularizer, testing::ValuesIn(in_reg()),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(EveryRegularizer, RateZeroPushesNoNode) {
  const RegularizedModel none("none"), zero(spelled("0"));
  EXPECT_TRUE(zero.regularized().empty());
  EXPECT_EQ(zero.tape().nodes().size(), none.tape().nodes().size());
}

// Wherever it may act it changes the gradients; what is reported stays plain cross-entropy.
TEST_P(EveryRegularizer, ActsAtEachOfItsHooks) {
  RegularizedModel none("none");
  none.run();
  std::vector<std::string> places = {""};
  for (const HookId hook : GetParam().hooks) places.emplace_back("@").append(to_string(hook));
  for (const std::string& place : places) {
    std::string text = spelled("0.4", place);
    if (GetParam().passes > 1) text += "+dropout:0.1";
    RegularizedModel model(text);
    EXPECT_FALSE(model.regularized().empty()) << text;
    EXPECT_NE(model.run().gradients(), none.gradients()) << text;
    if (GetParam().family == Family::kLoss)
      EXPECT_NE(model.loss(), model.cross_entropy()) << text;
    else
      EXPECT_EQ(model.loss(), model.cross_entropy()) << text;
  }
}

// Nodes are there, and leave every bit as it is while the rate is 0.
TEST_P(EveryRegularizer, IsAnExactCopyWhileItsScheduleIsZero) {
  RegularizedModel none("none"), late(spelled("0.4", "~late:0.5"));
  EXPECT_FALSE(late.regularized().empty());
  none.run(), late.run();
  EXPECT_EQ(late.loss(), none.loss());
  EXPECT_EQ(late.logits(), none.logits());
  EXPECT_EQ(late.gradients(), none.gradients());
  if (GetParam().passes > 1) return;  // nothing makes its passes differ here
  EXPECT_NE(late.run({.seed = 7, .index = 2, .progress = 0.75}).gradients(), none.gradients());
}

TEST_P(EveryRegularizer, IsGoneInEvaluationButForFactors) {
  const auto factor = [&](double rate) {
    return GetParam().noise == nullptr
               ? 1
               : ops::noise_factor(*GetParam().noise, rate, ops::NoiseForm::kEvaluation);
  };
  RegularizedModel none("none", Mode::kEval), model(spelled("0.4"), Mode::kEval);
  none.run(), model.run();
  EXPECT_EQ(model.regularized().empty(), factor(0.4) == 1);
  EXPECT_EQ(model.logits() == none.logits(), factor(0.4) == 1);
  // The rate of the moment decides: here it has fallen to 0.
  RegularizedModel early(spelled("0.4", "~early_cut:0.1"), Mode::kEval);
  EXPECT_EQ(early.run().logits(), none.logits());
}

TEST(Regularizers, SitesAreTheHooksNames) {
  const RegularizedModel one("dropout:0.1");
  EXPECT_EQ(one.node("emb.dropout")->randomness.site, engine::site_id("emb"));
  EXPECT_EQ(one.node("h.1.attn")->randomness.site, engine::site_id("h.1.attn_weights"));
  EXPECT_EQ(one.node("h.1.mlp.residual")->randomness.site, engine::site_id("h.1.mlp"));
  // The first keeps its masks when another one comes behind it.
  const RegularizedModel two("dropout:0.1@mlp+uout:0.1@mlp");
  EXPECT_EQ(two.node("h.0.mlp.dropout")->randomness.site, engine::site_id("h.0.mlp"));
  EXPECT_EQ(two.node("h.0.mlp.residual")->randomness.site, engine::site_id("h.0.mlp#1"));
}

// Whoever looks for a node by its name finds the one meant.
TEST(Regularizers, EveryNodeHasANameOfItsOwn) {
  std::string all;
  for (const Regularizer& row : in_reg()) {
    // The attention weights take one kind of noise.
    const bool one = row.family == Family::kNoise && row.name != "dropout_original";
    std::string at;
    for (const HookId hook : row.hooks)
      if (!one || hook != HookId::kAttnWeights)
        at.append(at.empty() ? "@" : "/").append(to_string(hook));
    if (row.hooks.empty() || !at.empty())
      all += base::concat(all.empty() ? "" : "+", row.name, ":0.1", at);
  }
  for (const Mode mode : {Mode::kTrain, Mode::kEval}) {
    const RegularizedModel model(all, mode);
    std::set<std::string> names;
    for (const engine::Node& node : model.tape().nodes())
      EXPECT_TRUE(names.insert(node.name).second) << node.name << " twice";
    // A kind's number is among those that leave a node.
    EXPECT_TRUE(names.contains(mode == Mode::kTrain ? "h.1.mlp#1.dropout_original"
                                                    : "h.1.mlp.dropout_original"));
  }
}

TEST(Regularizers, DropPathDeepens) {
  const RegularizedModel model("drop_path:0.4");
  EXPECT_DOUBLE_EQ(model.node("h.0.attn.residual")->randomness.rate(0.5), 0.2);
  EXPECT_DOUBLE_EQ(model.node("h.1.mlp.residual")->randomness.rate(0.5), 0.4);
}

// Layer l of a step is dropped for every sample, both branches at once; x goes through as it is.
TEST(LayerDrop, DropsBothBranchesOrNone) {
  const std::vector<std::string> keep = {"embedding", "h.0.attn.residual", "h.0.mlp.residual"};
  RegularizedModel model("layer_drop:0.5", Mode::kTrain, keep), none("none", Mode::kTrain, keep);
  none.run();
  int dropped = 0;
  for (std::uint64_t index = 0; index < 20; ++index) {
    model.run({.seed = 7, .index = index});
    const Floats x = model.value(keep[0]), out = model.value(keep[2]);
    EXPECT_EQ(model.value(keep[1]) == x, out == x);
    EXPECT_TRUE(out == x || out == none.value(keep[2])) << "kept blocks are not scaled";
    dropped += out == x;
  }
  EXPECT_TRUE(dropped > 3 && dropped < 17) << dropped;
}

TEST(DropConnect, MasksMatrices) {
  RegularizedModel model("drop_connect:0.5@mlp", Mode::kTrain,
                         {"h.1.mlp.c_proj.weight.drop_connect"});
  EXPECT_EQ(model.regularized(),
            (std::vector<std::string>{"h.0.mlp.c_proj.weight.drop_connect drop_connect",
                                      "h.1.mlp.c_proj.weight.drop_connect drop_connect"}));
  // The same elements whichever rows of the batch a micro-step has.
  const Floats first = model.run({.seed = 7, .index = 2}).logits();
  EXPECT_EQ(model.run({.seed = 7, .index = 2, .first_row = 5}).logits(), first);
  EXPECT_NE(model.run({.seed = 7, .index = 3}).logits(), first);
}

TEST(RDrop, PassesDifferByTheirMasksAlone) {
  RegularizedModel quiet("r_drop:2");
  quiet.run();
  EXPECT_EQ(quiet.loss(), quiet.cross_entropy()) << "equal passes: KL is 0";

  RegularizedModel noisy("dropout:0.2+r_drop:2");
  noisy.run();
  EXPECT_GT(noisy.loss(), noisy.cross_entropy());
  const Floats logits = noisy.logits();
  const auto pass = static_cast<std::ptrdiff_t>(kT * kVocab);
  EXPECT_FALSE(std::equal(logits.begin(), logits.begin() + pass, logits.begin() + pass));
  const float penalty = noisy.loss() - noisy.cross_entropy();
  RegularizedModel twice("dropout:0.2+r_drop:4");
  twice.run();
  EXPECT_NEAR(twice.loss() - twice.cross_entropy(), 2 * penalty, 1e-5);
}

TEST(RDrop, CountsBothPasses) {
  GptConfig config;
  const double once = flops_per_token(config);
  config.regularizers = parse_regularizers("dropout:0.1+r_drop:1");
  EXPECT_EQ(passes(config.regularizers), 2);
  EXPECT_EQ(flops_per_token(config), 2 * once);
}

}  // namespace

void PrintTo(const Regularizer& row, std::ostream* out) { *out << row.name; }
}  // namespace models
