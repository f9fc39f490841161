// Regularizers in a training run: what is reported, what micro-steps share, what evaluation sees.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "train/tasks/language_modelling.h"
#include "train/trainer.h"

namespace {

constexpr std::int64_t kBlock = 8;
constexpr int kVocab = 11;

class Training : public testing::Test {
 protected:
  Training() {
    data::Corpus corpus;
    corpus.vocab = kVocab;
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 600; ++i) ids.push_back(i * i % kVocab);
    corpus.train = corpus.val.ids = ids;
    task_ = std::make_unique<train::LanguageModelling>(std::move(corpus));
  }
  /// The reported loss of each of 3 steps.
  std::vector<double> losses(const std::string& reg, std::int64_t micro_steps = 1) {
    train::Settings s;
    s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = kBlock, s.batch = 12;
    s.grad_accum = micro_steps;
    s.reg = reg;
    train::Trainer trainer(s, *task_);
    std::vector<double> out;
    for (std::uint64_t i = 0; i < 3; ++i) out.push_back(trainer.step(i, 0.1));
    flops_ = trainer.flops_per_step();
    evaluated_ = trainer.evaluate().loss;
    return out;
  }
  std::unique_ptr<train::LanguageModelling> task_;
  double flops_ = 0, evaluated_ = 0;
};

TEST_F(Training, ReportsPlainCrossEntropy) {
  const std::vector<double> plain = losses("none");
  for (const char* reg : {"label_smoothing:0.3", "z_loss:1", "r_drop:5"}) {
    const std::vector<double> got = losses(reg);
    EXPECT_NEAR(got[0], plain[0], 1e-6) << reg << ": the same weights and batch";
    if (std::string_view(reg) != "r_drop:5") {
      EXPECT_NE(got[2], plain[2]) << reg;
    }
  }
}

// As dropout does: two micro-steps of 6 have the masks of one step of 12.
TEST_F(Training, MicroStepsOfRDropHaveTheMasksOfTheWholeBatch) {
  const std::vector<double> whole = losses("dropout:0.2+r_drop:1+layer_drop:0.3");
  const double flops = flops_;
  const std::vector<double> parts = losses("dropout:0.2+r_drop:1+layer_drop:0.3", 2);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], parts[i], 2e-5) << i;
  losses("dropout:0.2");
  EXPECT_EQ(flops, 2 * flops_);
}

TEST_F(Training, TheAliasIsTheDefaultOfDropout) {
  const std::vector<double> reg = losses("dropout:0.2");
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = kBlock, s.batch = 12, s.dropout = 0.2;
  train::Trainer trainer(s, *task_);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(trainer.step(i, 0.1), reg[i]);
}

TEST_F(Training, EvaluatesAtTheRateOfTheMoment) {
  losses("dropout_original:0.5~late:0.5");  // steps at 0.1 of the budget
  const double none = evaluated_;
  losses("none");
  EXPECT_EQ(evaluated_, none);
  losses("dropout_original:0.5~early_cut:0.5");
  EXPECT_NE(evaluated_, none);
}

}  // namespace
