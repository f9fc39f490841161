// The loop and the state: what is reported is what was measured, nothing is hidden that resuming
// needs, schedules and budgets hold at their ends.
#include "train/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "data/text/batches.h"
#include "tests/train/small_corpus.h"
#include "train/optim/optimizer.h"

namespace train {
namespace {

using tests::small_corpus;
using tests::small_task;

Settings small_settings(const std::string& budget = "20steps") {
  Settings s;
  s.n_layer = 1;
  s.n_head = 2;
  s.n_embd = 32;
  s.block_size = 16;
  s.batch = 8;
  s.budget = budget;
  return s;
}

std::vector<float> weights(const Trainer& trainer) {
  const engine::Params& p = *trainer.state().params;
  std::vector<float> out;
  for (int i = 0; i < static_cast<int>(p.list().size()); ++i)
    out.insert(out.end(), p.value(i), p.value(i) + p[i].shape.numel());
  return out;
}

/// Everything but where it lies in memory.
void copy(const TrainState& from, TrainState& to) {
  for (int i = 0; i < static_cast<int>(from.params->list().size()); ++i)
    std::copy_n(from.params->value(i), (*from.params)[i].shape.numel(), to.params->value(i));
  std::memcpy(to.moments.values.data(), from.moments.values.data(), from.moments.values.size());
  to.moments.updates = from.moments.updates;
  to.step = from.step;
  to.spent = from.spent;
  to.progress = from.progress, to.lr = from.lr, to.grad_norm = from.grad_norm;
  to.loss_sum = from.loss_sum, to.loss_count = from.loss_count;
  to.val_loss = from.val_loss, to.best_val_loss = from.best_val_loss;
  to.next_eval = from.next_eval;
  to.eval_seconds = from.eval_seconds;
}

TEST(TrainState, IsAllThatGoingOnNeeds) {
  const LanguageModelling task = small_task(4000, 300);
  for (const char* norm : {"layernorm", "batchnorm"}) {
    Settings s = small_settings();
    s.norm = norm;
    s.dropout = 0.2;
    s.eval_interval = 6;
    s.lr = 1e-2;
    Trainer whole(s, task), half(s, task), rest(s, task);
    const RunResult expected = run(whole);
    for (int i = 0; i < 8; ++i) {  // past an evaluation, and not at one
      half.advance();
      if (half.state().step != 6) continue;
      half.state().best_val_loss = half.state().val_loss = half.evaluate().loss;
      half.state().loss_sum = 0, half.state().loss_count = 0;
    }
    copy(half.state(), rest.state());
    std::vector<Progress> seen;
    CallSink note([&](const Progress& p) { seen.push_back(p); });
    const RunResult got = run(rest, {&note});
    EXPECT_EQ(weights(rest), weights(whole)) << norm;
    EXPECT_EQ(got.val_loss, expected.val_loss);
    EXPECT_EQ(got.best_val_loss, expected.best_val_loss);
    EXPECT_EQ(got.train_loss, expected.train_loss);
    EXPECT_EQ(got.running_loss, expected.running_loss);
    EXPECT_EQ(got.spent.steps, 20);
    EXPECT_EQ(got.spent.tokens, expected.spent.tokens);
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[0].step, 12);
  }
}

TEST(Run, BestIsTheLowestOnTheWay) {
  const LanguageModelling task = small_task(4000, 600);
  Settings s = small_settings("160steps");
  s.unique_tokens = 64;  // learned by heart: validation gets worse
  s.lr = 1e-2;
  Trainer trainer(s, task);
  std::vector<double> losses;
  CallSink note([&](const Progress& p) {
    if (p.val_loss) losses.push_back(*p.val_loss);
  });
  const RunResult r = run(trainer, {&note});
  ASSERT_EQ(losses.size(), 20U);
  EXPECT_EQ(r.val_loss, losses.back());
  EXPECT_EQ(r.best_val_loss, *std::min_element(losses.begin(), losses.end()));
  EXPECT_LT(*r.best_val_loss, *r.val_loss - 0.1);
}

// The weights of the lowest evaluation are the result, and what is told is of them.
TEST(Run, StopsAtTheBestWhereAsked) {
  data::Corpus corpus = small_corpus(4000, 600);
  std::vector<std::int32_t> other(corpus.val.ids.begin(), corpus.val.ids.end());
  std::reverse(other.begin(), other.end());
  other.resize(333);
  corpus.test.ids = other;
  const LanguageModelling task(corpus);
  Settings s = small_settings("160steps");
  s.unique_tokens = 64;
  s.lr = 1e-2;
  Trainer end(s, task);
  const RunResult last = run(end);
  s.stop = "best";
  Trainer trainer(s, task);
  const RunResult best = run(trainer);
  EXPECT_EQ(best.best_val_loss, last.best_val_loss);
  EXPECT_EQ(best.val_loss, best.best_val_loss);
  EXPECT_LT(*best.test_loss, *last.test_loss - 0.1);
  EXPECT_GT(*best.train_loss, *last.train_loss + 0.1) << "less is learned by heart";
  EXPECT_EQ(best.spent.steps, 160) << "what was trained after it was spent";
  for (const auto& [made, r] : {std::pair{&trainer, &best}, {&end, &last}})
    for (const Split split : {Split::kVal, Split::kTest}) {
      const Examined again = made->evaluate(split);
      const bool val = split == Split::kVal;
      EXPECT_EQ(again.loss, val ? *r->val_loss : *r->test_loss);
      EXPECT_EQ(again.windows, val ? r->val_windows : r->test_windows);
    }
}

TEST(Run, TellsWhatTheTrainingLossWasAtBothEnds) {
  const LanguageModelling task = small_task(4000, 300);
  const Settings s = small_settings("20steps");
  Trainer trainer(s, task), steps(s, task);
  const RunResult r = run(trainer);
  std::vector<double> losses;
  while (!steps.finished()) losses.push_back(steps.advance());
  EXPECT_EQ(r.first_loss, losses.front());
  EXPECT_DOUBLE_EQ(r.late_loss, (losses[18] + losses[19]) / 2) << "of the last tenth";
  EXPECT_FALSE(r.test_loss) << "there is no such split";
}

TEST(Run, TheTrainLossIsThatOfTheTrainingTokens) {
  data::Corpus corpus = small_corpus(40000, 300);
  Settings s = small_settings("5steps");
  s.eval_interval = 5;
  const auto result = [&](const data::Corpus& c) {
    const LanguageModelling task(c);
    Trainer trainer(s, task);
    return run(trainer);
  };
  const RunResult r = result(corpus);
  EXPECT_NE(r.train_loss, r.val_loss);
  corpus.val.ids = corpus.train.part(0, 32768);
  EXPECT_EQ(result(corpus).val_loss, r.train_loss);
  // Of the stretch that is shown, where there is one.
  s.unique_tokens = 500;
  const data::Batches stretch(corpus.train, s.block_size, s.batch, s.seed, s.unique_tokens);
  corpus.val.ids =
      std::vector<std::int32_t>(stretch.reachable().begin(), stretch.reachable().end());
  const RunResult repeated = result(corpus);
  EXPECT_EQ(repeated.val_loss, repeated.train_loss);
  EXPECT_EQ(corpus.val.ids.size(), 500U);
}

TEST(Run, ReportsTheMeanLossSinceTheLastEvaluation) {
  const LanguageModelling task = small_task(4000, 300);
  Settings s = small_settings("4steps");
  s.eval_interval = 2;
  Trainer reported(s, task), plain(s, task);
  std::vector<double> seen, losses;
  CallSink note([&](const Progress& p) {
    if (p.val_loss) seen.push_back(p.train_loss);
  });
  run(reported, {&note});
  while (!plain.finished()) losses.push_back(plain.advance());
  ASSERT_EQ(losses.size(), 4U);
  EXPECT_EQ(seen, (std::vector{(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2}));
}

TEST(Run, ABudgetOfTimeIsEvaluatedAFewTimes) {
  const LanguageModelling task = small_task(400, 20000);
  Trainer trainer(small_settings("0.3s"), task);
  int evaluations = 0;
  CallSink note([&](const Progress& p) { evaluations += p.val_loss ? 1 : 0; });
  const RunResult r = run(trainer, {&note});
  EXPECT_LE(evaluations, kTimedEvaluations + 1);
  EXPECT_GT(r.eval_seconds, 0);
}

TEST(RunPlan, KnowsHowManyTokensWillBeEvaluated) {
  const LanguageModelling task = small_task(4000, 300);
  Settings s = small_settings("18steps");
  s.eval_interval = 5;                                           // after 5, 10, 15 and 18 steps
  EXPECT_EQ(RunPlan(s, task).evaluated_tokens, 4 * 304 + 4000);  // whole windows of 16
}

TEST(Run, EverySinkIsTold) {
  const LanguageModelling task = small_task(4000, 300);
  Settings s = small_settings("4steps");
  s.eval_interval = 2;
  Trainer trainer(s, task);
  int first = 0, second = 0;
  CallSink one([&](const Progress&) { ++first; }), two([&](const Progress&) { ++second; });
  run(trainer, {&one, &two});
  EXPECT_GE(first, 2);
  EXPECT_EQ(second, first);
  EXPECT_TRUE(trainer.finished());
}

TEST(Trainer, TheFirstStepOfATimedBudgetLearns) {
  const LanguageModelling task = small_task(4000, 300);
  Trainer trainer(small_settings("100s"), task);
  const std::vector<float> before = weights(trainer);
  trainer.advance();
  EXPECT_EQ(trainer.state().progress, 0);  // masks: nothing is spent yet
  EXPECT_GT(trainer.state().lr, 0);
  EXPECT_LT(trainer.state().lr, 1e-3);
  EXPECT_NE(weights(trainer), before);
}

TEST(Trainer, ProgressIsTheMiddleOfTheStepFromTheFirstToTheLast) {
  const LanguageModelling task = small_task(4000, 300);
  Settings s = small_settings("16steps");
  s.budget_share = 0.5;
  Trainer trainer(s, task);
  const LearningRate rate{s.lr, s.lr / 10, s.warmup};
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(trainer.finished());
    trainer.advance();
    EXPECT_EQ(trainer.state().progress, (i + 0.5) / 8);
    EXPECT_EQ(trainer.state().lr, rate.at((i + 0.5) / 8));
    EXPECT_EQ(trainer.fraction(), (i + 1) / 8.0);
  }
  EXPECT_TRUE(trainer.finished());
}

TEST(LearningRate, HoldsAtItsEnds) {
  const LearningRate rate{2, 0.5, 0.1};
  EXPECT_EQ(rate.at(0), 0);
  EXPECT_DOUBLE_EQ(rate.at(0.05), 1);
  EXPECT_DOUBLE_EQ(rate.at(0.1), 2);
  EXPECT_DOUBLE_EQ(rate.at(0.55), 1.25);  // half of the cosine
  EXPECT_DOUBLE_EQ(rate.at(1), 0.5);
  for (double x = 0.1; x < 0.9999; x += 0.001) EXPECT_GT(rate.at(x), rate.at(x + 0.001)) << x;
  EXPECT_NEAR(rate.at(0.95), 0.5 + 1.5 * 0.5 * (1 + std::cos(M_PI * 0.85 / 0.9)), 1e-12);
  EXPECT_EQ((LearningRate{2, 0.5, 0}).at(0), 2);
}

}  // namespace
}  // namespace train
