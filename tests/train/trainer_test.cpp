// Runs: what they spend, how they end, what they evaluate, and that they repeat bit by bit.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "tests/expect_error.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"

namespace train {
namespace {

using tests::small_task;

Settings two_layers(const std::string& budget = "20steps") {
  Settings s;
  s.n_layer = 2;
  s.n_head = 2;
  s.n_embd = 32;
  s.block_size = 16;
  s.batch = 12;
  s.budget = budget;
  return s;
}

RunResult trained(const Settings& s, const Task& task) {
  Trainer trainer(s, task);
  return run(trainer);
}

TEST(Trainer, SpendsTheBudgetItWasGiven) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers("25steps");
  const double tokens = 25 * 12 * 16;
  // 6N + 12·L·C·T, N of 2 layers of 12·C² + 2·C, the vocabulary and the last norm
  const double n = 2 * (12 * 32 * 32 + 2 * 32) + 15 * 32 + 32;
  const double flops = tokens * (6 * n + 12 * 2 * 32 * 16);
  RunResult r = trained(s, task);
  EXPECT_FALSE(r.diverged);
  EXPECT_EQ(r.spent.steps, 25);
  EXPECT_EQ(r.spent.tokens, tokens);
  EXPECT_NEAR(r.spent.flops, flops, 1e-9 * flops);
  EXPECT_NEAR(r.spent.epochs, tokens / 20000, 1e-12);
  s.budget = std::to_string(static_cast<std::int64_t>(flops)) + "flops";
  EXPECT_EQ(Trainer(s, task).total_steps(), 25);
  s.budget = "4800tok";
  EXPECT_EQ(Trainer(s, task).total_steps(), 25);
}

TEST(Trainer, ABudgetOfTimeEndsInTime) {
  const LanguageModelling task = small_task(20000, 1000);
  const RunResult r = trained(two_layers("0.3s"), task);
  EXPECT_GE(r.spent.seconds, 0.3);
  EXPECT_GE(r.spent.steps, 1);  // how many depends on the machine, so no more is asked
  EXPECT_TRUE(r.val_loss.has_value());
}

TEST(Trainer, LearnsWhatTheTextHas) {
  const LanguageModelling task = small_task(20000, 2000);
  Settings s = two_layers("150steps");
  s.lr = 3e-3;
  const RunResult r = trained(s, task);
  // Who knows the last letter can reach 1.88 nats, who doesn't 2.71.
  EXPECT_LT(*r.val_loss, 2.1);
  EXPECT_GT(*r.val_loss, 1.85);
  EXPECT_LE(*r.best_val_loss, *r.val_loss);
  EXPECT_NEAR(*r.train_loss, *r.val_loss, 0.15);
}

TEST(Trainer, TwoMicroStepsOfSixTrainAsOneStepOfTwelve) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings whole = two_layers();
  whole.dropout = 0.2;
  Settings halves = whole;
  halves.grad_accum = 2;
  Trainer a(whole, task), b(halves, task);
  for (std::uint64_t i = 0; i < 10; ++i)
    EXPECT_NEAR(a.step(i, 0.5), b.step(i, 0.5), 1e-5) << "step " << i;
  EXPECT_NEAR(a.state().grad_norm, b.state().grad_norm, 1e-4 * a.state().grad_norm);
}

TEST(Trainer, RecomputingSavesMemoryAndChangesNoBit) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers("3steps");
  s.batch = 400;  // so that training needs more than an evaluation
  s.dropout = 0.2;
  Settings lean = s;
  lean.recompute = true;
  EXPECT_LT(Trainer(lean, task).memory().training, Trainer(s, task).memory().training);
  const RunResult kept = trained(s, task), recomputed = trained(lean, task);
  EXPECT_EQ(recomputed.val_loss, kept.val_loss);
  EXPECT_EQ(recomputed.train_loss, kept.train_loss);
}

TEST(Trainer, DropoutDoesNotTouchTheEvaluation) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers();
  Trainer plain(s, task);
  s.dropout = 0.9;
  Trainer noisy(s, task);
  EXPECT_EQ(noisy.evaluate().loss, plain.evaluate().loss);  // the seed gives both the same weights
  EXPECT_NE(noisy.step(0, 0.5), plain.step(0, 0.5));
}

TEST(Trainer, EvaluatesEveryTokenButTheFirstOnce) {
  const LanguageModelling task = small_task(20000, 16 * 140 + 6);  // more than a batch, and a tail
  const Settings s = two_layers();
  Trainer trainer(s, task);
  for (std::uint64_t i = 0; i < 5; ++i) trainer.step(i, 0.5);
  std::vector<std::int32_t> tokens(16), targets(16);
  engine::Tape tape(trainer.params());
  const models::Gpt gpt =
      models::record_gpt(tape, task.model(s), 1, 16, models::Mode::kEval, models::Output::kLogits);
  engine::Plan plan(std::move(tape), gpt.logits, {.training = false});
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  const data::Corpus& corpus = task.corpus();
  const auto V = static_cast<std::size_t>(corpus.vocab);
  const auto mean_loss = [&](std::size_t count) {
    double sum = 0;
    for (std::size_t begin = 0; begin < count; begin += 16) {
      const std::size_t n = std::min<std::size_t>(16, count - begin);
      data::TokenSpan(corpus.val.ids).copy(begin, n, tokens.data());
      plan.forward({});
      const float* logits = plan.view(gpt.logits).f32();
      for (std::size_t t = 0; t < n; ++t) {
        double total = 0;
        for (std::size_t v = 0; v < V; ++v)
          total += std::exp(static_cast<double>(logits[t * V + v]));
        const auto target = static_cast<std::size_t>(corpus.val.ids[begin + t + 1]);
        sum += std::log(total) - static_cast<double>(logits[t * V + target]);
      }
    }
    return sum / static_cast<double>(count);
  };
  EXPECT_NEAR(trainer.evaluate().loss, mean_loss(corpus.val.ids.size() - 1), 1e-6);
  Settings subset = s;
  subset.eval_tokens = 100;
  Trainer part(subset, task);
  for (std::uint64_t i = 0; i < 5; ++i) part.step(i, 0.5);
  EXPECT_NEAR(part.evaluate().loss, mean_loss(100), 1e-6);
}

TEST(Trainer, EndsAsDivergedWithStepAndLearningRate) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers();
  s.lr = 1e30;
  s.warmup = 0;
  const RunResult r = trained(s, task);
  EXPECT_TRUE(r.diverged);
  EXPECT_GE(r.diverged_at, 2);  // the first loss is that of the initial weights
  EXPECT_LE(r.diverged_at, 20);
  EXPECT_GT(r.diverged_lr, 1e29);
  EXPECT_EQ(r.spent.steps, r.diverged_at);
}

// The last update may ruin the weights and leave every number finite: that is no result.
TEST(Trainer, EndsAsDivergedFarAboveAUniformGuess) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers("1steps");
  s.warmup = 0;
  EXPECT_FALSE(trained(s, task).diverged);
  s.lr = 1e4;
  s.min_lr = 1e4;
  const RunResult r = trained(s, task);
  EXPECT_TRUE(r.diverged);
  EXPECT_EQ(r.diverged_at, 1);
  ASSERT_TRUE(r.train_loss && r.val_loss);
  EXPECT_TRUE(std::isfinite(*r.train_loss));
  EXPECT_GT(*r.train_loss, 10 * *task.constants().uniform_loss);
  EXPECT_TRUE(r.val_windows.empty() && r.test_windows.empty());
}

TEST(Trainer, ReportsRateAndProgressAsTheScheduleHasThem) {
  const LanguageModelling task = small_task(20000, 1000);
  Settings s = two_layers("40steps");
  s.eval_interval = 1;
  std::vector<Progress> seen;
  CallSink note([&](const Progress& p) { seen.push_back(p); });
  Trainer trainer(s, task);
  run(trainer, {&note});
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
  const LanguageModelling task = small_task(20000, 2000);
  Settings s;
  const std::vector<Assignment> tiny = {{"preset", "tiny", ""}, {"dropout", "0.1", ""}};
  s = resolve(s, tiny);
  const auto losses = [&](int threads) {
    omp_set_num_threads(threads);
    Trainer trainer(s, task);
    std::vector<double> out;
    for (std::uint64_t i = 0; i < 50; ++i) out.push_back(trainer.step(i, 0.5));
    out.push_back(trainer.evaluate().loss);
    return out;
  };
  const int before = base::max_threads();
  const auto one = losses(1);
  EXPECT_LT(one[49], one[0] - 0.2);
  EXPECT_EQ(losses(2), one);
  EXPECT_EQ(losses(2), one) << "from run to run";
  EXPECT_EQ(losses(3), one);
  omp_set_num_threads(before);
}

TEST(Trainer, RefusesWhatCannotBeRun) {
  const LanguageModelling task = small_task(2000, 1000);
  Settings s = two_layers();
  s.unique_tokens = 2001;
  EXPECT_ERROR(check_run(s, task), "2001 unique tokens are more than");
  s.unique_tokens = 0;
  s.budget = "3tok";
  EXPECT_ERROR(check_run(s, task), "budget 3tok is less than one step");
  s = two_layers();
  s.n_embd = 1 << 20;
  EXPECT_ERROR(check_run(s, task), "memory");
  EXPECT_ERROR(Trainer(s, task), "memory");
}

}  // namespace
}  // namespace train
