// An ensemble is its members, each trained by itself, with probabilities averaged by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/buffer.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"
#include "train/trainer.h"

namespace train {
namespace {

Settings one_layer(const std::string& task = "lm") {
  Settings s;
  s.n_layer = 1, s.n_head = 2, s.n_embd = 16, s.block_size = 16, s.batch = 4;
  s.budget = "60steps";
  s.lr = 0.01;
  s.dropout = 0.2;
  s.eval_tokens = 640;
  s.task = task;
  return s;
}

/// Likelihoods of every target of the validation split with a member trained by itself.
std::vector<double> likelihoods(Settings s, const Task& task, std::int64_t members,
                                std::int64_t number) {
  s.budget_share = 1 / static_cast<double>(members);
  s.init_stream = number;
  s.mask_stream = number;
  s.measure = "calibration";
  Trainer trainer(s, task);
  run(trainer);
  const Predictions p = trainer.predict(Split::kVal);
  std::vector<double> out(p.count());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double off = p.kind == TargetKind::kNormal ? (p.targets[i] - p.means[i]) / p.sds[i] : 0;
    out[i] = p.kind == TargetKind::kNormal
                 ? std::exp(-0.5 * off * off) / (p.sds[i] * std::sqrt(2 * M_PI))
                 : std::exp(static_cast<double>(
                       p.scores[i * p.classes + static_cast<std::size_t>(p.labels[i])]));
  }
  return out;
}

void expect_the_average_of_its_members(Settings s, const Task& task) {
  const auto a = likelihoods(s, task, 2, 0), b = likelihoods(s, task, 2, 1);
  double loss = 0, alone = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    loss -= std::log((a[i] + b[i]) / 2);
    alone -= std::log(a[i]) / 2 + std::log(b[i]) / 2;
  }
  EXPECT_NE(a, b) << "members start from weights of their own";
  s.members = 2;
  const RunResult r = run_ensemble(s, task);
  const auto n = static_cast<double>(a.size());
  EXPECT_NEAR(*r.val_loss, loss / n, 1e-5);
  EXPECT_LT(*r.val_loss, alone / n);
  double windows = 0;
  for (const float w : r.val_windows) windows += static_cast<double>(w);
  EXPECT_NEAR(windows / static_cast<double>(r.val_windows.size()), *r.val_loss, 0.05);
  EXPECT_EQ(r.spent.steps, 60) << "of one model";
  EXPECT_FALSE(r.diverged);
  EXPECT_GT(r.first_loss, r.late_loss);
}

TEST(Ensemble, IsTheAverageOfItsMembersProbabilities) {
  const LanguageModelling task = tests::small_task(4000, 500);
  expect_the_average_of_its_members(one_layer(), task);
}

TEST(Ensemble, OfNormalForecastsTheAverageOfDensities) {
  const Settings s = one_layer("in_context");
  expect_the_average_of_its_members(s, *load_task(s));
}

TEST(Ensemble, TellsItsProgressAsOne) {
  const LanguageModelling task = tests::small_task(4000, 500);
  Settings s = one_layer();
  s.members = 3;
  std::vector<Progress> seen;
  CallSink sink([&](const Progress& p) { seen.push_back(p); });
  const RunResult r = run_ensemble(s, task, {&sink});
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().step, 60);
  EXPECT_EQ(seen.back().steps, 60);
  EXPECT_NEAR(seen.back().fraction, 1, 1e-9);
  EXPECT_NEAR(seen.back().spent.flops, r.spent.flops, 1);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_GE(seen[i].fraction, seen[i - 1].fraction);
  s.lr = 1e30;
  s.warmup = 0;
  EXPECT_TRUE(run_ensemble(s, task).diverged);
}

TEST(Ensemble, InitialWeightsHaveStreams) {
  const LanguageModelling task = tests::small_task(4000, 500);
  Settings s = one_layer();
  s.dropout = 0;
  const auto first_loss = [&](std::int64_t init, std::int64_t masks) {
    s.init_stream = init;
    s.mask_stream = masks;
    Trainer trainer(s, task);
    return trainer.advance();
  };
  EXPECT_EQ(first_loss(0, 0), first_loss(0, 1));
  EXPECT_NE(first_loss(0, 0), first_loss(1, 0));
}

}  // namespace
}  // namespace train
