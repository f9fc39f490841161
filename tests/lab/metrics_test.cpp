// The metric table: every figure of a hand-made run.
#include "lab/runs/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <numbers>
#include <set>

#include "lab/runs/record.h"
#include "tests/expect_error.h"
#include "train/tasks/language_modelling.h"

namespace lab {
namespace {

train::RunResult finished() {
  train::RunResult r;
  r.val_loss = 2.0;
  r.best_val_loss = 1.5;
  r.test_loss = 2.5;
  r.first_loss = 3;
  r.late_loss = 1.75;
  r.parameters = 1234;
  r.executed_flops = 4e9;
  r.train_loss = 1.25;
  r.running_loss = 7;
  r.spent = {100, 6400, 3e9, 2.0, 0.75};
  r.eval_seconds = 0.5;
  r.setup_seconds = 0.125;
  return r;
}

train::LanguageModelling task() {
  data::Corpus c;
  c.val.bytes_per_token = 2;
  c.test.bytes_per_token = 4;
  c.test.ids = std::vector<std::int32_t>{0};
  c.vocab = 28;
  c.bayes_loss = 0.5;
  c.bayes_loss_window = 0.75;
  return train::LanguageModelling(c);
}

TEST(Metrics, AreWhatTheirRowSays) {
  const RunRecord record = make_record(finished(), task(), {"cpu", 2});
  const std::map<std::string, double, std::less<>> expected = {
      {"val_loss", 2.0},
      {"best_val_loss", 1.5},
      {"train_loss", 1.25},
      {"gap", 0.75},
      {"val_bpb", 1 / std::numbers::ln2},
      {"test_loss", 2.5},
      {"test_bpb", 0.625 / std::numbers::ln2},
      {"first_loss", 3},
      {"late_loss", 1.75},
      {"uniform_loss", std::log(28.0)},
      {"parameters", 1234},
      {"executed_flops", 4e9},
      {"excess", 2.0},
      {"excess_window", 1.75},
      {"epochs", 0.75},
      {"steps", 100},
      {"tokens", 6400},
      {"flops", 3e9},
      {"seconds", 2.0},
      {"eval_seconds", 0.5},
      {"setup_seconds", 0.125},
      {"gflops", 1.5}};
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(record.value(name)) << name;
    EXPECT_NEAR(*record.value(name), value, 1e-12) << name;
  }
  EXPECT_EQ(record.values.size(), expected.size()) << "what it does not know it does not have";
}

TEST(Metrics, TheShareOfTheBudgetIsOfRunsThatPatienceEnded) {
  train::RunResult r = finished();
  const auto spent = [&] { return make_record(r, task(), {"cpu", 2}).value("budget_spent"); };
  EXPECT_FALSE(spent()) << "all of it";
  r.fraction = 0.4;
  EXPECT_EQ(spent(), 0.4);
  r.diverged = true;
  EXPECT_FALSE(spent());
}

TEST(Metrics, ExcessIsOfEveryTaskWhoseBayesLossIsKnown) {
  train::Settings s;
  s.task = "in_context";
  s.block_size = 4;
  const auto regression = train::load_task(s);
  const RunRecord record = make_record(finished(), *regression, {"cpu", 2});
  EXPECT_NEAR(*record.value("excess"), 2.5 - *regression->constants().bayes_loss, 1e-12);
  EXPECT_FALSE(record.value("excess_window"));
  EXPECT_FALSE(record.value("val_bpb"));
}

TEST(Metrics, OfARunThatDiverged) {
  train::RunResult r = finished();
  r.diverged = true;
  r.diverged_at = 17;
  r.diverged_lr = 0.25;
  const RunRecord record = make_record(r, task(), {"cpu", 2});
  EXPECT_EQ(record.status, Status::kDiverged);
  for (const char* name : {"val_loss", "train_loss", "gap", "val_bpb", "test_loss", "test_bpb",
                           "excess", "excess_window", "first_loss", "late_loss"})
    EXPECT_FALSE(record.value(name)) << name;
  EXPECT_EQ(record.value("diverged_at"), 17);
  EXPECT_EQ(record.value("diverged_lr"), 0.25);
  EXPECT_EQ(record.value("best_val_loss"), 1.5);
}

TEST(Metrics, ARunThatLearnsNothingIsUntrained) {
  train::RunResult r = finished();
  EXPECT_EQ(make_record(r, task(), {}).status, Status::kOk);
  r.late_loss = 3.01;  // above the first step's
  EXPECT_EQ(make_record(r, task(), {}).status, Status::kUntrained);
  r.first_loss = 9;  // above the first step's no more, below a uniform guess
  EXPECT_EQ(make_record(r, task(), {}).status, Status::kOk);
  r.late_loss = std::log(28.0) + 0.01;
  EXPECT_EQ(make_record(r, task(), {}).status, Status::kUntrained);
  r.val_loss = 5;  // overfitting is none
  r.late_loss = 1;
  EXPECT_EQ(make_record(r, task(), {}).status, Status::kOk);
}

TEST(Metrics, OfAnotherTaskAreLeftOut) {
  struct Another final : train::LanguageModelling {
    using LanguageModelling::LanguageModelling;
    std::string_view name() const override { return "another"; }
  };
  const RunRecord record = make_record(finished(), Another(task().corpus()), {"cpu", 2});
  EXPECT_FALSE(record.value("val_bpb"));
  EXPECT_TRUE(record.value("val_loss"));
}

TEST(Metrics, OfRecalibration) {
  train::RunResult r = finished();
  EXPECT_FALSE(make_record(r, task(), {"cpu", 2}).value("recalibration_flops"));
  r.recalibration = {64, 100, 5e8, 0.1, 0};
  EXPECT_EQ(make_record(r, task(), {"cpu", 2}).value("recalibration_flops"), 5e8);
}

TEST(Metrics, TheTableIsSound) {
  std::set<std::string_view> names;
  for (const Metric& m : metrics()) {
    EXPECT_TRUE(names.insert(m.name).second) << m.name;
    EXPECT_FALSE(m.help.empty()) << m.name;
    EXPECT_NE(text(m, 1.5), "–") << m.name;
    EXPECT_EQ(text(m, {}), "–") << m.name;
  }
  EXPECT_EQ(text(metric("val_loss"), 1.23456), "1.2346");
  EXPECT_EQ(text(metric("steps"), 1000.0), "1000");
  EXPECT_ERROR(metric("loss"), "unknown metric 'loss'");
}

TEST(Metrics, AreDocumented) {
  std::ifstream in(ISODROP_SOURCE_DIR "/docs/schema.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  for (const Metric& m : metrics())
    EXPECT_NE(page.find("| `" + std::string(m.name) + "` | " +
                        (m.unit.empty() ? "–" : std::string(m.unit)) + " | " +
                        std::string(to_string(m.better)) + " | " + std::string(m.help)),
              std::string::npos)
        << m.name << ": its row in docs/schema.md is missing or says something else";
}

}  // namespace
}  // namespace lab
