// Models of features instead of tokens, and heads that are not tied to wte.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/plan.h"
#include "engine/rng.h"
#include "models/gpt.h"
#include "models/regularizer_grammar.h"
#include "ops/ops.h"
#include "tests/expect_error.h"

namespace models {
namespace {

constexpr std::int64_t kHeadedRows = 3, kPositions = 4, kHeadedFeatures = 5;

GptConfig headed_config(Head head) {
  GptConfig c;
  c.n_layer = 1;
  c.n_head = 2;
  c.n_embd = 16;
  c.block_size = kPositions;
  c.vocab = 7;
  c.features = kHeadedFeatures;
  c.head = head;
  return c;
}

/// Of three rows of features, one target in four of which counts.
class Headed {
 public:
  Headed(const GptConfig& config, Mode mode, Output output) {
    engine::Tape tape(params);
    gpt = record_gpt(tape, config, kHeadedRows, kPositions, mode, output);
    engine::PlanOptions options;
    options.training = mode == Mode::kTrain;
    if (gpt.logits) options.keep = {gpt.logits};
    plan.emplace(std::move(tape), gpt.loss, options);
    params.allocate(3);
    engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 2);
    for (float& x : features_) x = static_cast<float>(4 * random.uniform() - 2);
    for (std::size_t i = 3; i < numbers_.size(); i += 4) {
      classes_[i] = static_cast<std::int32_t>(random.below(7));
      numbers_[i] = static_cast<float>(random.uniform());
    }
    plan->bind(gpt.features, features_.data());
    plan->bind(gpt.targets, config.head == Head::kNormal ? static_cast<void*>(numbers_.data())
                                                         : static_cast<void*>(classes_.data()));
  }
  float loss() {
    plan->forward({});
    if (plan->events().back().kind == engine::Event::Kind::kBackward) plan->backward({});
    return *plan->view(gpt.loss).f32();
  }
  bool has(std::string_view node, std::string_view op) const {
    return std::any_of(plan->tape().nodes().begin(), plan->tape().nodes().end(),
                       [&](const auto& n) { return n.name == node && n.op->name() == op; });
  }

  engine::Params params;
  Gpt gpt;
  std::optional<engine::Plan> plan;

 private:
  std::vector<float> features_ = std::vector<float>(kHeadedRows * kPositions * kHeadedFeatures);
  std::vector<float> numbers_ = std::vector<float>(kHeadedRows * kPositions, NAN);
  std::vector<std::int32_t> classes_ = std::vector<std::int32_t>(kHeadedRows * kPositions, -1);
};

TEST(Heads, HaveTheNamesByWhichTheyAreFoundAndTheParametersThatAreCounted) {
  for (const Head head : {Head::kClasses, Head::kNormal}) {
    const GptConfig config = headed_config(head);
    const Headed model(config, Mode::kTrain, Output::kLogits);
    EXPECT_TRUE(model.has("embedding", "feature_embedding"));
    EXPECT_TRUE(model.has("head", "matmul"));
    EXPECT_TRUE(model.has("loss", head == Head::kNormal ? "gaussian_nll" : "cross_entropy"));
    EXPECT_EQ(model.plan->tape().shape(model.gpt.logits).back(), head == Head::kNormal ? 2 : 7);
    EXPECT_FALSE(model.gpt.tokens);
    EXPECT_EQ(model.gpt.input(), model.gpt.features);
    std::vector<std::string> names;
    for (const engine::Param& p : model.params.list()) names.push_back(p.name);
    EXPECT_EQ(names.front(), "wfe.weight");
    EXPECT_EQ(names.back(), "head.weight");
    EXPECT_EQ(counted_parameters(config) + static_cast<double>(kPositions * config.n_embd),
              static_cast<double>(model.params.count()));
    EXPECT_EQ(flops_per_token(config), 6 * counted_parameters(config) + 12.0 * 1 * 16 * kPositions);
  }
}

// In evaluation every row has its loss; their mean, with equally many targets each, is training's.
TEST(Heads, EveryRowHasItsLossInEvaluation) {
  for (const Head head : {Head::kClasses, Head::kNormal}) {
    Headed rows(headed_config(head), Mode::kEval, Output::kLoss);
    rows.plan->forward({});
    const float* each = rows.plan->view(rows.gpt.cross_entropy).f32();
    ASSERT_EQ(rows.plan->tape().shape(rows.gpt.cross_entropy), engine::Shape{kHeadedRows});
    const float mean = (each[0] + each[1] + each[2]) / 3;
    EXPECT_NE(each[0], each[1]);
    for (const Output output : {Output::kLoss, Output::kLogits})
      EXPECT_NEAR(Headed(headed_config(head), Mode::kTrain, output).loss(), mean, 1e-5);
  }
}

TEST(Heads, GradientsAreThoseOfTheLoss) {
  for (const Head head : {Head::kClasses, Head::kNormal}) {
    Headed model(headed_config(head), Mode::kTrain, Output::kLoss);
    model.loss();
    for (std::size_t i = 0; i < model.params.list().size(); ++i) {
      const auto p = static_cast<int>(i);
      const std::int64_t n = model.params[p].shape.numel();
      const std::vector<float> g(model.params.grad(p), model.params.grad(p) + n);
      double norm = 0;
      for (const float x : g) norm += static_cast<double>(x) * static_cast<double>(x);
      norm = std::sqrt(norm);
      ASSERT_GT(norm, 0) << model.params[p].name;
      const float h = 2e-3F;  // along the gradient
      const auto move = [&](float by) {
        for (std::int64_t j = 0; j < n; ++j)
          model.params.value(p)[j] +=
              by * g[static_cast<std::size_t>(j)] / static_cast<float>(norm);
      };
      move(h);
      const double up = static_cast<double>(model.loss());
      move(-2 * h);
      const double down = static_cast<double>(model.loss());
      move(h);
      EXPECT_NEAR((up - down) / (2 * static_cast<double>(h)), norm, 0.01 * norm + 2e-4)
          << model.params[p].name;
    }
  }
}

TEST(Heads, RefuseWhatTheyHaveNoMeaningFor) {
  const auto recorded = [](GptConfig config, const char* reg) {
    config.regularizers = parse_regularizers(reg);
    Headed(config, Mode::kTrain, Output::kLoss);
  };
  for (const std::string reg : {"label_smoothing", "z_loss", "r_drop"})
    EXPECT_ERROR(
        recorded(headed_config(Head::kNormal), (reg + ":0.1").c_str()),
        reg + " adds to the loss of classes, and this model predicts a number; leave it out");
  EXPECT_ERROR(recorded(headed_config(Head::kClasses), "embedding_dropout:0.1"),
               "embedding_dropout drops tokens of a vocabulary, and the inputs of this model are "
               "numbers; leave it out");
  EXPECT_NO_THROW(recorded(headed_config(Head::kClasses), "label_smoothing:0.1+z_loss:0.1"));
  EXPECT_NO_THROW(recorded(headed_config(Head::kNormal), "dropout:0.1@emb/attn/mlp/last"));
  EXPECT_ERROR(recorded(headed_config(Head::kTied), "none"),
               "5 features a token: a head is tied where");
}

// Each window's loss is what the op says of that window alone; where no target counts it is 0.
TEST(GaussianNll, WindowsAreThoseOfEachAlone) {
  const auto losses = [](std::vector<float> x, std::vector<float> y, std::int64_t windows) {
    engine::Params params;
    engine::Tape tape(params);
    const auto rows = static_cast<std::int64_t>(y.size());
    const engine::Ref in = tape.input("x", {rows, 2}, engine::DType::kF32);
    const engine::Ref targets = tape.input("targets", {rows}, engine::DType::kF32);
    const engine::Ref loss = ops::gaussian_nll(tape, "loss", in, targets, windows);
    engine::Plan plan(std::move(tape), loss, {.training = false});
    params.allocate(1);
    plan.bind(in, x.data());
    plan.bind(targets, y.data());
    plan.forward({});
    const float* out = plan.view(loss).f32();
    return std::vector<float>(out, out + windows);
  };
  const std::vector<float> x = {0.5F, 0, 1, -1, 2, 3, -4, 100, 0, -100, 0, 0};
  const std::vector<float> y = {1, NAN, -1, 2, NAN, NAN};
  const auto all = losses(x, y, 3);
  EXPECT_EQ(all[0], losses({x.begin(), x.begin() + 4}, {y.begin(), y.begin() + 2}, 1)[0]);
  EXPECT_EQ(all[1], losses({x.begin() + 4, x.begin() + 8}, {y.begin() + 2, y.begin() + 4}, 1)[0]);
  EXPECT_EQ(all[2], 0);
  // σ is the raw number where that is large, and has a floor where softplus vanishes.
  EXPECT_FLOAT_EQ(losses({1, 100}, {1}, 1)[0],
                  static_cast<float>(0.5 * std::log(2 * M_PI * 100.001 * 100.001)));
  EXPECT_FLOAT_EQ(losses({1, -1e4F}, {1}, 1)[0], static_cast<float>(0.5 * std::log(2e-6 * M_PI)));
  EXPECT_ERROR(losses(x, y, 4), "4 windows do not divide the rows");
}

}  // namespace
}  // namespace models
