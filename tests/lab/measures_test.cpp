// What is measured of a finished run: forecasts by hand, and a run that is left as it was.
#include "lab/runs/measures.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lab/runs/metrics.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"

namespace lab {
namespace {

/// n forecasts of three classes with probabilities ½, ¼, ¼ where in truth they are 0.7, 0.2, 0.1,
/// labels in these shares.
train::Predictions three(int n) {
  train::Predictions p;
  p.classes = 3;
  for (int i = 0; i < n; ++i) {
    for (const double q : {0.5, 0.25, 0.25}) p.scores.push_back(static_cast<float>(std::log(q)));
    for (const double q : {0.7, 0.2, 0.1}) p.truth.push_back(q);
    p.labels.push_back(i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2);
  }
  return p;
}

TEST(Measures, CalibrationOfClasses) {
  const train::Predictions p = three(1000);
  const Measured m = calibration(p, p);
  EXPECT_NEAR(m.at("kl"), 0.7 * std::log(1.4) + 0.2 * std::log(0.8) + 0.1 * std::log(0.4), 1e-6);
  EXPECT_NEAR(m.at("brier"), 0.7 * (0.25 + 0.125) + 0.3 * (0.25 + 0.5625 + 0.0625), 1e-6);
  EXPECT_NEAR(m.at("ece"), 0.2, 1e-3);
  EXPECT_NEAR(m.at("square_ce"), 0.04, 1e-3);
  EXPECT_NEAR(m.at("accuracy"), 0.7, 1e-9);
  // One class against two alike: 0.7 is reached where 2^(1/T) = 0.7/0.15.
  EXPECT_NEAR(m.at("temperature"), std::log(2) / std::log(0.7 / 0.15), 1e-4);
  EXPECT_NEAR(m.at("scaled_ece"), 0, 0.012);  // what it takes off for noise, 0.8·√(0.21/1000)
  EXPECT_NEAR(m.at("scaled_loss"), -0.7 * std::log(0.7) - 0.3 * std::log(0.15), 1e-5);
  EXPECT_LT(m.at("scaled_kl"), m.at("kl"));
}

TEST(Measures, CalibrationOfPartsIsThatOfTheWhole) {
  const train::Predictions p = three(1000);
  train::Predictions first = p, second = p;
  first.scores.resize(3 * 300), first.truth.resize(3 * 300), first.labels.resize(300);
  second.scores.erase(second.scores.begin(), second.scores.begin() + 3 * 300);
  second.truth.erase(second.truth.begin(), second.truth.begin() + 3 * 300);
  second.labels.erase(second.labels.begin(), second.labels.begin() + 300);
  ClassCalibration parts;
  parts.add(first);
  parts.add(second);
  const Measured whole = calibration(p, p);
  for (const auto& [name, value] : parts.result())
    EXPECT_NEAR(value, whole.at(name), 1e-12) << name;
  EXPECT_EQ(parts.result().size(), 5U);
}

TEST(Measures, CalibrationOfNormals) {
  train::Predictions p;
  p.kind = train::ForecastKind::kNormal;
  for (int i = 0; i < 400; ++i) {
    const double truth = std::sin(i), off = i % 2 == 0 ? 0.5 : -0.5;
    p.means.push_back(0.9 * truth);
    p.sds.push_back(1);
    p.targets.push_back(0.9 * truth + off);
    p.truth.insert(p.truth.end(), {truth, 0.5});
  }
  const Measured m = calibration(p, p);
  EXPECT_NEAR(m.at("mse"), 0.25, 1e-9);
  EXPECT_NEAR(m.at("temperature"), 0.5, 1e-9);
  EXPECT_NEAR(m.at("slope"), 0.9, 1e-9);
  double excess = 0;
  for (int i = 0; i < 400; ++i) excess += std::pow(0.1 * std::sin(i), 2) / 400;
  EXPECT_NEAR(m.at("excess_mse"), excess, 1e-12);
  EXPECT_EQ(m.at("coverage90"), 1);
  EXPECT_NEAR(m.at("scaled_loss"), 0.5 * std::log(2 * M_PI * 0.25) + 0.5, 1e-9);
  EXPECT_LT(m.at("scaled_crps"), m.at("crps"));
}

train::Settings small(const std::string& measure) {
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = 16, s.batch = 4;
  s.norm = "batchnorm";
  s.budget = "20steps";
  s.dropout = 0.2;
  s.measure = measure;
  return s;
}

TEST(Measures, LeaveTheRunAsItWasAndHaveRowsOrPlaces) {
  data::Corpus corpus = tests::small_corpus(4000, 500);
  corpus.test = corpus.val;
  const train::LanguageModelling task(corpus);
  const train::Settings s = small("calibration+mode_gap+moments");
  train::Trainer trainer(s, task);
  const train::RunResult result = train::run(trainer);
  const Measured m = measure(trainer, task);
  EXPECT_EQ(trainer.evaluate(train::Split::kTest).loss, *result.test_loss);
  for (const auto& [name, value] : m) {
    EXPECT_EQ(why_no_metric(name, s), "") << name;
    EXPECT_NE(why_no_metric(name, small("none")), "") << name;
    EXPECT_TRUE(std::isfinite(value)) << name;
  }
  EXPECT_NEAR(m.at("mode_gap"), m.at("train_mode_loss") - *result.test_loss, 1e-9);
  EXPECT_GT(m.at("mode_gap"), 0);
  // E[m²] = 1/q at the first hook, where nothing else differs; over layers a mean.
  EXPECT_NEAR(m.at("probe.emb.square_ratio"), 1.25, 0.01);
  EXPECT_NEAR(m.at("probe.mlp.w1"), (m.at("probe.h.0.mlp.w1") + m.at("probe.h.1.mlp.w1")) / 2,
              1e-12);
  EXPECT_TRUE(m.contains("probe.last.behind.variance_ratio"));
  EXPECT_FALSE(m.contains("kl")) << "of a text nobody knows the truth";
}

// Rows that are padded would count in a batch's statistics: what fills no batch is left out.
TEST(Measures, TheGapOfBatchnormIsOfWholeBatches) {
  data::Corpus corpus = tests::small_corpus(4000, 16 * 40 + 1);
  corpus.test = corpus.val;
  const train::LanguageModelling task(corpus);
  const auto gap = [&](std::int64_t batch) {
    train::Settings s = small("mode_gap");
    s.batch = batch;  // of 40 windows
    s.dropout = 0;
    s.budget = "60steps";
    train::Trainer trainer(s, task);
    train::run(trainer);
    return measure(trainer, task);
  };
  EXPECT_LT(std::abs(gap(10).at("mode_gap")), 0.1);
  EXPECT_LT(std::abs(gap(12).at("mode_gap")), 0.1) << "4 windows in 12";
  EXPECT_TRUE(gap(41).empty()) << "no whole batch";
}

TEST(Measures, AreInWhatARunTakes) {
  data::Corpus corpus = tests::small_corpus(4000, 500);
  corpus.test = corpus.val;
  const train::LanguageModelling task(corpus);
  const train::RunPlan none(small("none"), task);
  for (const char* measure : {"calibration", "mode_gap", "moments"}) {
    const train::RunPlan plan(small(measure), task);
    EXPECT_GT(plan.memory.allocated(), none.memory.allocated()) << measure;
    EXPECT_GT(plan.evaluated_tokens, none.evaluated_tokens + 999) << measure;
  }
  train::Settings sampled = small("none");
  sampled.evaluation = "mc:100";
  EXPECT_GT(train::RunPlan(sampled, task).evaluated_tokens, none.evaluated_tokens + 100 * 900);
}

TEST(Measures, ReliabilityAndStability) {
  data::Corpus corpus = tests::small_corpus(4000, 500);
  corpus.test = corpus.val;
  const train::LanguageModelling task(corpus);
  train::Settings s = small("reliability+stability");
  s.budget = "40steps";
  train::Trainer trainer(s, task);
  train::run(trainer);
  const Measured m = measure(trainer, task);
  double given = 0, right = 0, all = 0;
  for (int bin = 1; m.contains("reliability." + std::to_string(bin) + ".p"); ++bin) {
    const auto of = [&](const char* what) {
      return m.at("reliability." + std::to_string(bin) + "." + what);
    };
    given += of("share") * of("p");
    right += of("share") * of("hit");
    all += of("share");
    if (bin > 1) {
      EXPECT_GE(of("p"), m.at("reliability." + std::to_string(bin - 1) + ".p")) << "ascending";
    }
  }
  const Measured whole =
      calibration(trainer.predict(train::Split::kVal), trainer.predict(train::Split::kTest));
  EXPECT_NEAR(all, 1, 1e-9);
  EXPECT_NEAR(right, whole.at("accuracy"), 1e-9);
  EXPECT_GT(given, 0);
  EXPECT_EQ(std::ssize(trainer.state().losses), 40);
  EXPECT_EQ(trainer.state().grad_norms.back(), static_cast<float>(trainer.state().grad_norm));
  EXPECT_GT(m.at("grad_norm"), 0);
  EXPECT_GE(m.at("grad_norm_tail"), 1);
  EXPECT_TRUE(m.contains("loss_spikes"));
  for (const auto& [name, value] : m) EXPECT_EQ(why_no_metric(name, s), "") << name;
  for (const char* name : {"reliability.0.p", "reliability.11.p", "reliability.1.q",
                           "reliability.x.p", "reliability.p", "reliability."})
    EXPECT_NE(why_no_metric(name, s), "") << name;
}

TEST(Measures, EveryKindThatMayBeAskedForIsMade) {
  const train::LanguageModelling task(tests::small_corpus(4000, 500));
  for (const train::MeasureKind& kind : train::measure_kinds()) {
    if (kind.name == "moments") continue;  // above, and slow
    train::Trainer trainer(small(std::string(kind.name)), task);
    train::run(trainer);
    EXPECT_NO_THROW(measure(trainer, task)) << kind.name;  // no test split: little to say
  }
}

TEST(Measures, NamesOfThePlacesOfAModel) {
  const train::Settings s = small("moments");
  for (const char* name : {"probe.emb.w1", "probe.last.behind.variance_ratio", "probe.attn.w1",
                           "probe.h.1.mlp_hidden.behind.kurtosis_shift"})
    EXPECT_EQ(why_no_metric(name, s), "") << name;
  for (const char* name :
       {"probe.", "probe.w1", "probe.h.2.mlp.w1", "probe.h.0.emb.w1", "probe.h.x.mlp.w1",
        "probe.h.0.w1", "probe.mlp.w2", "probe.mlp.behind", "probe.h.-1.mlp.w1"})
    EXPECT_NE(why_no_metric(name, s), "") << name;
}

}  // namespace
}  // namespace lab
