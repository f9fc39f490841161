// A run that was stopped anywhere and goes on from its checkpoint ends in the same bits as one that
// nobody stopped, whatever its settings.
#include <gtest/gtest.h>

#include <cstring>

#include "models/norm_table.h"
#include "models/regularizer_table.h"
#include "models/regularizers.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"
#include "train/storage/checkpoint.h"

namespace train {
namespace {

using Given = std::vector<Assignment>;

Settings settings_of(const Given& given) {
  Given all = {{"n_layer", "2", ""},    {"n_head", "2", ""},       {"n_embd", "8", ""},
               {"block_size", "8", ""}, {"batch", "4", ""},        {"budget", "14steps", ""},
               {"lr", "0.01", ""},      {"eval_interval", "3", ""}};
  all.insert(all.end(), given.begin(), given.end());
  const Settings s = resolve({}, all);
  validate(s);
  return s;
}

std::string name_of(const Given& given) {
  std::string name;
  for (const Assignment& a : given) name += a.name + "=" + a.value + " ";
  return name;
}

/// What a run has come to and what it told; not its seconds.
struct Outcome {
  RunResult result;
  std::vector<float> weights;
  std::vector<std::array<double, 6>> told;

  void expect_same(const Outcome& other, const std::string& what) const {
    const RunResult &a = result, &b = other.result;
    EXPECT_EQ(a.diverged, b.diverged) << what;
    EXPECT_EQ(a.val_loss, b.val_loss) << what;
    EXPECT_EQ(a.best_val_loss, b.best_val_loss) << what;
    EXPECT_EQ(a.test_loss, b.test_loss) << what;
    EXPECT_EQ(a.train_loss, b.train_loss) << what;
    EXPECT_EQ(a.running_loss, b.running_loss) << what;
    EXPECT_EQ(a.first_loss, b.first_loss) << what;
    EXPECT_EQ(a.late_loss, b.late_loss) << what;
    EXPECT_EQ(a.val_windows, b.val_windows) << what;
    EXPECT_EQ(a.test_windows, b.test_windows) << what;
    EXPECT_EQ(a.spent.steps, b.spent.steps) << what;
    EXPECT_EQ(a.spent.tokens, b.spent.tokens) << what;
    EXPECT_EQ(a.spent.flops, b.spent.flops) << what;
    EXPECT_EQ(a.spent.epochs, b.spent.epochs) << what;
    EXPECT_EQ(a.fraction, b.fraction) << what;
    EXPECT_EQ(a.executed_flops, b.executed_flops) << what;
    EXPECT_EQ(a.recalibration.flops, b.recalibration.flops) << what;
    EXPECT_EQ(told, other.told) << what;
    ASSERT_EQ(weights.size(), other.weights.size()) << what;
    EXPECT_EQ(std::memcmp(weights.data(), other.weights.data(), weights.size() * sizeof(float)), 0)
        << what;
  }
};

class GoingOn : public testing::Test {
 protected:
  GoingOn() {
    data::Corpus corpus = tests::small_corpus(400, 60);
    std::vector<std::int32_t> backwards;
    for (std::size_t i = 0; i < 33; ++i)
      backwards.push_back(corpus.val.ids[corpus.val.ids.size() - 1 - i]);
    corpus.test.ids = backwards;
    task = std::make_unique<LanguageModelling>(std::move(corpus));
  }

  /// One process: from the newest checkpoint, if any, until it is to stop (after so many of its own
  /// steps; 0: never).
  bool process(const Settings& s, const std::filesystem::path& folder, std::int64_t steps,
               Outcome& out) const {
    Trainer trainer(s, *task);
    const Checkpoints checkpoints(folder, s, task->data_hash());
    if (!checkpoints_in(folder).empty()) checkpoints.load(trainer.state());
    const std::int64_t from = trainer.state().step;
    CallSink sink([&](const Progress& p) {
      if (p.val_loss)
        out.told.push_back({static_cast<double>(p.step), p.fraction, p.train_loss, *p.val_loss,
                            p.lr, p.grad_norm});
    });
    Keeping keeping;
    keeping.every_steps = 1000;  // at the end
    keeping.save = [&] { checkpoints.save(trainer.state()); };
    keeping.stop = [&] { return steps > 0 && trainer.state().step >= from + steps; };
    out.result = run(trainer, {&sink}, keeping);
    if (out.result.stopped) return false;
    const engine::Params& p = trainer.params();
    out.weights.clear();
    for (int i = 0; i < static_cast<int>(p.list().size()); ++i)
      out.weights.insert(out.weights.end(), p.value(i), p.value(i) + p[i].shape.numel());
    return true;
  }

  /// A run of processes that each stop after so many steps; 0: one for all.
  Outcome made(const Settings& s, std::int64_t steps) const {
    const tests::TempFolder folder;
    Outcome out;
    int processes = 1;
    while (!process(s, folder.path(), steps, out)) ++processes;
    EXPECT_EQ(processes > 1, steps > 0);
    // Killed while the result was written: the state of the end is there and gives it again.
    if (steps > 0) {
      Outcome again = out;
      EXPECT_TRUE(process(s, folder.path(), 0, again));
      out.expect_same(again, "from its last state");
    }
    return out;
  }

  Outcome expect_same(const Given& given) const {
    const Settings s = settings_of(given);
    Outcome whole = made(s, 0);
    // 5: before, after and at an evaluation of every third step.
    made(s, 5).expect_same(whole, name_of(given));
    return whole;
  }

  std::unique_ptr<LanguageModelling> task;
};

TEST_F(GoingOn, WithEveryRegularizer) {
  for (const models::Regularizer& row : models::regularizer_table())
    if (row.family == models::Family::kOptimizer)  // settings of their own
      expect_same({{std::string(row.name), "0.25", ""}});
    else
      expect_same({{"reg", std::string(row.name) + ":0.25", ""}});
}

TEST_F(GoingOn, WithEverySchedule) {
  for (const models::ScheduleKind& kind : models::schedule_kinds())
    expect_same(
        {{"reg", "dropout:0.3~" + std::string(kind.name) + (kind.takes_fraction ? ":0.5" : ""),
          ""}});
}

TEST_F(GoingOn, WithEveryNorm) {
  for (const models::NormKind& kind : models::norm_kinds()) {
    expect_same({{"norm", std::string(kind.name), ""}, {"dropout", "0.2", ""}});
    if (!kind.running) continue;
    EXPECT_GT(expect_same({{"norm", std::string(kind.name), ""},
                           {"dropout", "0.2", ""},
                           {"recalibrate_norm", "true", ""}})
                  .result.recalibration.flops,
              0);
  }
}

TEST_F(GoingOn, WithMicroStepsAndDataThatRepeat) {
  expect_same({{"grad_accum", "2", ""}, {"reg", "dropout:0.2+r_drop:1", ""}});
  expect_same({{"unique_tokens", "64", ""}, {"mask_stream", "3", ""}, {"recompute", "true", ""}});
  expect_same({{"target_noise", "0.3", ""}, {"evaluation", "mc:3", ""}, {"dropout", "0.2", ""}});
}

// 4 · 8 tokens a step; an epoch is 400 of them.
TEST_F(GoingOn, WithEveryBudgetButSeconds) {
  for (const char* budget : {"14steps", "448tok", "1.12epochs", "30Mflops"})
    EXPECT_GT(expect_same({{"budget", budget, ""}}).result.spent.steps, 6) << budget;
  expect_same({{"budget", "28steps", ""}, {"budget_share", "0.5", ""}});
}

// Validation gets worse from some step on.
TEST_F(GoingOn, WithTheBestWeightsAndWithPatience) {
  const Given worse = {{"unique_tokens", "16", ""},
                       {"lr", "0.1", ""},
                       {"budget", "40steps", ""},
                       {"eval_interval", "2", ""}};
  const auto with = [&](Given more) {
    more.insert(more.begin(), worse.begin(), worse.end());
    return expect_same(more).result;
  };
  const RunResult best = with({{"stop", "best", ""}});
  const RunResult early = with({{"patience", "3", ""}});
  const RunResult both = with({{"patience", "3", ""}, {"stop", "best", ""}});
  EXPECT_EQ(best.spent.steps, 40);
  EXPECT_LT(early.spent.steps, 40);
  EXPECT_EQ(early.fraction, static_cast<double>(early.spent.steps) / 40);
  EXPECT_GT(*early.val_loss, *early.best_val_loss);
  EXPECT_EQ(both.spent.steps, early.spent.steps);
  EXPECT_EQ(both.val_loss, early.best_val_loss);
}

TEST_F(GoingOn, APatienceThatIsNeverTriedChangesNothing) {
  made(settings_of({{"patience", "1000", ""}}), 0)
      .expect_same(made(settings_of({}), 0), "patience");
  EXPECT_ERROR(
      settings_of(
          {{"patience", "1", ""}, {"norm", "batchnorm", ""}, {"recalibrate_norm", "true", ""}}),
      "patience=1 with recalibrate_norm");
}

TEST_F(GoingOn, ABudgetOfTimeGoesOnWhereItWas) {
  const tests::TempFolder folder;
  const Settings s = settings_of({{"budget", "0.5s", ""}, {"eval_interval", "0", ""}});
  Outcome out;
  if (process(s, folder.path(), 2, out)) GTEST_SKIP() << "two steps took half a second here";
  const double first = out.result.spent.seconds;
  EXPECT_GT(first, 0);
  ASSERT_TRUE(process(s, folder.path(), 0, out));
  EXPECT_GE(out.result.spent.seconds, 0.5);
  EXPECT_GT(out.result.spent.steps, 2);
}

// The new schedule is the same, whoever stops it and when, and not that of the old budget.
TEST_F(GoingOn, WithALargerBudget) {
  const Settings old = settings_of({{"dropout", "0.2", ""}});
  Settings larger = old;
  larger.budget = "30steps";
  const auto extended = [&](std::int64_t until, std::int64_t steps) {
    const tests::TempFolder folder;
    Outcome out;
    process(old, folder.path(), until, out);
    out.told.clear();
    while (!process(larger, folder.path(), steps, out)) continue;
    return out;
  };
  for (const std::int64_t until : {0, 7}) {  // 0: to its end
    const Outcome whole = extended(until, 0);
    extended(until, 4).expect_same(whole, "extended");
    EXPECT_EQ(whole.result.spent.steps, 30);
    EXPECT_NE(whole.weights, made(larger, 0).weights);
    EXPECT_EQ(whole.told.back()[4], made(larger, 0).told.back()[4]) << "annealed to the end";
  }
}

TEST_F(GoingOn, KeepsAtIntervalsOfSteps) {
  Trainer trainer(settings_of({}), *task);
  std::vector<std::int64_t> saved;
  Keeping keeping;
  keeping.every_steps = 4;
  keeping.save = [&] { saved.push_back(trainer.state().step); };
  run(trainer, {}, keeping);
  EXPECT_EQ(saved, (std::vector<std::int64_t>{4, 8, 12, 14}));
}

TEST_F(GoingOn, KeepsAtIntervalsOfTimeAndAtAStopAlone) {
  Trainer often(settings_of({}), *task), never(settings_of({}), *task);
  int saved = 0;
  Keeping keeping;
  keeping.every_seconds = 1e-9;
  keeping.save = [&] { ++saved; };
  run(often, {}, keeping);
  EXPECT_EQ(saved, 14);
  saved = 0;
  keeping.every_seconds = 0;
  run(never, {}, keeping);
  EXPECT_EQ(saved, 0) << "off";
  Trainer stopped(settings_of({}), *task);
  keeping.stop = [&] { return stopped.state().step == 5; };
  const RunResult r = run(stopped, {}, keeping);
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.spent.steps, 5);
  EXPECT_EQ(saved, 1);
  EXPECT_FALSE(r.train_loss) << "nothing was examined";
}

}  // namespace
}  // namespace train
