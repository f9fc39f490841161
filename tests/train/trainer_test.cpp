// Runs: what they spend, how they end, what they evaluate, and that they repeat bit by bit.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/error.h"
#include "engine/parallel.h"
#include "tests/expect_error.h"
#include "tests/train/small_corpus.h"

namespace train {
namespace {

using tests::small_corpus;

Settings small_settings(const std::string& budget = "20steps") {
  Settings s;
  s.n_layer = 2;
  s.n_head = 2;
  s.n_embd = 32;
  s.block_size = 16;
  s.batch = 12;
  s.budget = budget;
  return s;
}

RunResult trained(const Settings& s, const Corpus& corpus) { return Trainer(s, corpus).run({}); }

TEST(Trainer, SpendsTheBudgetItWasGiven) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings s = small_settings("25steps");
  const double tokens = 25 * 12 * 16;
  // 6N + 12·L·C·T, N of 2 layers of 12·C² + 2·C, the vocabulary and the last norm
  const double n = 2 * (12 * 32 * 32 + 2 * 32) + 15 * 32 + 32;
  const double flops = tokens * (6 * n + 12 * 2 * 32 * 16);
  RunResult r = trained(s, corpus);
  EXPECT_FALSE(r.diverged);
  EXPECT_EQ(r.spent.steps, 25);
  EXPECT_EQ(r.spent.tokens, tokens);
  EXPECT_NEAR(r.spent.flops, flops, 1e-9 * flops);
  EXPECT_NEAR(r.spent.epochs, tokens / 20000, 1e-12);
  s.budget = std::to_string(static_cast<std::int64_t>(flops)) + "flops";
  EXPECT_EQ(Trainer(s, corpus).total_steps(), 25);
  s.budget = "4800tok";
  EXPECT_EQ(Trainer(s, corpus).total_steps(), 25);
}

TEST(Trainer, ABudgetOfTimeEndsInTime) {
  const Corpus corpus = small_corpus(20000, 1000);
  const RunResult r = trained(small_settings("0.3s"), corpus);
  EXPECT_GE(r.spent.seconds, 0.3);
  EXPECT_GE(r.spent.steps, 1);  // how many depends on the machine, so no more is asked
  EXPECT_TRUE(r.val_loss.has_value());
}

TEST(Trainer, LearnsWhatTheTextHas) {
  const Corpus corpus = small_corpus(20000, 2000);
  Settings s = small_settings("150steps");
  s.lr = 3e-3;
  const RunResult r = trained(s, corpus);
  // Who knows the last letter can reach 1.88 nats, who doesn't 2.71.
  EXPECT_LT(*r.val_loss, 2.1);
  EXPECT_GT(*r.val_loss, 1.85);
  EXPECT_LE(*r.best_val_loss, *r.val_loss);
  EXPECT_NEAR(*r.train_loss, *r.val_loss, 0.15);
}

TEST(Trainer, TwoMicroStepsOfSixTrainAsOneStepOfTwelve) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings whole = small_settings();
  whole.dropout = 0.2;
  Settings halves = whole;
  halves.grad_accum = 2;
  Trainer a(whole, corpus), b(halves, corpus);
  for (std::uint64_t i = 0; i < 10; ++i)
    EXPECT_NEAR(a.step(i, 0.5), b.step(i, 0.5), 1e-5) << "step " << i;
  EXPECT_NEAR(a.grad_norm(), b.grad_norm(), 1e-4 * a.grad_norm());
}

TEST(Trainer, RecomputingSavesMemoryAndChangesNoBit) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings s = small_settings("3steps");
  s.batch = 400;  // so that training needs more than an evaluation
  s.dropout = 0.2;
  Settings lean = s;
  lean.recompute = true;
  EXPECT_LT(Trainer(lean, corpus).memory().training, Trainer(s, corpus).memory().training);
  const RunResult kept = trained(s, corpus), recomputed = trained(lean, corpus);
  EXPECT_EQ(recomputed.val_loss, kept.val_loss);
  EXPECT_EQ(recomputed.train_loss, kept.train_loss);
}

TEST(Trainer, DropoutDoesNotTouchTheEvaluation) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings s = small_settings();
  Trainer plain(s, corpus);
  s.dropout = 0.9;
  Trainer noisy(s, corpus);
  EXPECT_EQ(noisy.evaluate(), plain.evaluate());  // the seed gives both the same weights
  EXPECT_NE(noisy.step(0, 0.5), plain.step(0, 0.5));
}

TEST(Trainer, EvaluatesEveryTokenButTheFirstOnce) {
  const Corpus corpus = small_corpus(20000, 16 * 140 + 6);  // more than a batch, and a tail
  const Settings s = small_settings();
  Trainer trainer(s, corpus);
  for (std::uint64_t i = 0; i < 5; ++i) trainer.step(i, 0.5);
  std::vector<std::int32_t> tokens(16), targets(16);
  engine::Tape tape(trainer.params());
  const models::Gpt gpt = models::record_gpt(tape, gpt_config(s, corpus.vocab), 1, 16,
                                             models::Mode::kEval, models::Output::kLogits);
  engine::Plan plan(std::move(tape), gpt.logits, {.training = false});
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  const auto V = static_cast<std::size_t>(corpus.vocab);
  const auto mean_loss = [&](std::size_t count) {
    double sum = 0;
    for (std::size_t begin = 0; begin < count; begin += 16) {
      const std::size_t n = std::min<std::size_t>(16, count - begin);
      std::copy_n(corpus.val.data() + begin, n, tokens.data());
      plan.forward({});
      const float* logits = plan.view(gpt.logits).f32();
      for (std::size_t t = 0; t < n; ++t) {
        double total = 0;
        for (std::size_t v = 0; v < V; ++v)
          total += std::exp(static_cast<double>(logits[t * V + v]));
        const auto target = static_cast<std::size_t>(corpus.val[begin + t + 1]);
        sum += std::log(total) - static_cast<double>(logits[t * V + target]);
      }
    }
    return sum / static_cast<double>(count);
  };
  EXPECT_NEAR(trainer.evaluate(), mean_loss(corpus.val.size() - 1), 1e-6);
  Settings subset = s;
  subset.eval_tokens = 100;
  Trainer part(subset, corpus);
  for (std::uint64_t i = 0; i < 5; ++i) part.step(i, 0.5);
  EXPECT_NEAR(part.evaluate(), mean_loss(100), 1e-6);
}

TEST(Trainer, EndsAsDivergedWithStepAndLearningRate) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings s = small_settings();
  s.lr = 1e30;
  s.warmup = 0;
  const RunResult r = trained(s, corpus);
  EXPECT_TRUE(r.diverged);
  EXPECT_GE(r.diverged_at, 2);  // the first loss is that of the initial weights
  EXPECT_LE(r.diverged_at, 20);
  EXPECT_GT(r.diverged_lr, 1e29);
  EXPECT_EQ(r.spent.steps, r.diverged_at);
}

TEST(Trainer, ReportsRateAndProgressAsTheScheduleHasThem) {
  const Corpus corpus = small_corpus(20000, 1000);
  Settings s = small_settings("40steps");
  s.eval_interval = 1;
  std::vector<Progress> seen;
  Trainer(s, corpus).run([&](const Progress& p) { seen.push_back(p); });
  ASSERT_EQ(seen.size(), 40U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_TRUE(seen[i].val_loss.has_value());
    EXPECT_GT(seen[i].grad_norm, 0);
  }
  EXPECT_NEAR(seen[0].lr, 1e-3 * 0.0125 / 0.05, 1e-9);  // warm-up: 5 % of the budget
  EXPECT_NEAR(seen[2].lr, 1e-3, 1e-5);
  EXPECT_NEAR(seen.back().lr, 1e-4, 1e-5);  // a tenth
  EXPECT_EQ(seen.back().fraction, 1);
}

TEST(Trainer, RepeatsBitByBitForAnyNumberOfThreads) {
  const Corpus corpus = small_corpus(20000, 2000);
  Settings s;
  const std::vector<Assignment> tiny = {{"preset", "tiny", ""}, {"dropout", "0.1", ""}};
  s = resolve(s, tiny);
  const auto losses = [&](int threads) {
    omp_set_num_threads(threads);
    Trainer trainer(s, corpus);
    std::vector<double> out;
    for (std::uint64_t i = 0; i < 50; ++i) out.push_back(trainer.step(i, 0.5));
    out.push_back(trainer.evaluate());
    return out;
  };
  const int before = engine::max_threads();
  const auto one = losses(1);
  EXPECT_LT(one[49], one[0] - 0.2);
  EXPECT_EQ(losses(2), one);
  EXPECT_EQ(losses(2), one) << "from run to run";
  EXPECT_EQ(losses(3), one);
  omp_set_num_threads(before);
}

TEST(Trainer, RefusesWhatCannotBeRun) {
  const Corpus corpus = small_corpus(2000, 1000);
  Settings s = small_settings();
  s.unique_tokens = 2001;
  EXPECT_ERROR(check_run(s, corpus), "2001 unique tokens are more than");
  s.unique_tokens = 0;
  s.budget = "3tok";
  EXPECT_ERROR(check_run(s, corpus), "budget 3tok is less than one step");
  s = small_settings();
  s.n_embd = 1 << 20;
  EXPECT_ERROR(check_run(s, corpus), "memory");
  EXPECT_ERROR(Trainer(s, corpus), "memory");
}

}  // namespace
}  // namespace train
