// What a model says of every target: the same as the evaluator hears, passes averaged as
// probabilities, and what the corpus itself would have said.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/expect_error.h"
#include "tests/train/small_corpus.h"
#include "train/config/evaluation.h"
#include "train/evaluator.h"
#include "train/run.h"
#include "train/tasks/load_corpus.h"

namespace train {
namespace {

using tests::small_task;

Settings small(const std::string& evaluation = "plain", double dropout = 0.2) {
  Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = 16, s.batch = 4;
  s.budget = "30steps";
  s.dropout = dropout;
  s.measure = "calibration";
  set(s, "evaluation", evaluation);
  return s;
}

TEST(Evaluation, IsReadAndSpelledOneWay) {
  for (const char* text : {"plain", "corrected", "mc:2", "mc:4096"})
    EXPECT_EQ(to_string(parse_evaluation(text)), text);
  EXPECT_EQ(parse_evaluation("mc:32").passes, 32);
  for (const char* text : {"mc", "mc:", "mc:x", "mc:2x", "", "Plain"})
    EXPECT_ERROR(parse_evaluation(text), "give plain, corrected, or mc:N");
  for (const char* text : {"mc:1", "mc:-3", "mc:4097"})
    EXPECT_ERROR(parse_evaluation(text), "give 2 to 4096 passes");
  EXPECT_EQ(canonical_measures("moments+calibration+moments"), "calibration+moments");
  EXPECT_EQ(canonical_measures("none"), "none");
  EXPECT_ERROR(parse_measures("momentz"), "did you mean 'moments'");
  EXPECT_ERROR(parse_measures("moments+"), "unknown measure ''");
}

TEST(Predictor, HearsWhatTheEvaluatorHears) {
  const LanguageModelling task = small_task(4000, 16 * 150 + 5);  // more than a batch, and a tail
  for (const char* how : {"plain", "corrected"}) {
    Trainer trainer(small(how), task);
    for (int i = 0; i < 30; ++i) trainer.advance();
    const Examined heard = trainer.evaluate();
    const Predictions said = trainer.predict(Split::kVal);
    EXPECT_NEAR(said.examined.loss, heard.loss, 1e-5) << how;
    ASSERT_EQ(said.examined.windows.size(), heard.windows.size());
    EXPECT_NEAR(said.examined.windows.back(), heard.windows.back(), 1e-4);
    ASSERT_EQ(said.count(), task.corpus().val.ids.size() - 1);
    double loss = 0;
    for (std::size_t i = 0; i < said.count(); ++i) {
      double sum = 0;
      for (std::size_t v = 0; v < said.classes; ++v)
        sum += std::exp(static_cast<double>(said.scores[i * said.classes + v]));
      EXPECT_NEAR(sum, 1, 1e-5);
      EXPECT_EQ(said.labels[i], task.corpus().val.ids[i + 1]);
      loss -= static_cast<double>(
          said.scores[i * said.classes + static_cast<std::size_t>(said.labels[i])]);
    }
    EXPECT_NEAR(loss / static_cast<double>(said.count()), heard.loss, 1e-5) << how;
  }
}

TEST(Predictor, PassesAverageProbabilitiesWithMasksOfTheirOwn) {
  const LanguageModelling task = small_task(4000, 500);
  Trainer trainer(small("mc:3"), task);
  for (int i = 0; i < 30; ++i) trainer.advance();
  const RunPlan& plan = trainer.planned();
  Predictor one(task, trainer.params(), plan.config, models::Mode::kNoisy);
  engine::Buffer arena(one.arena_bytes());
  one.allocate({arena.data(), arena.size()});
  const auto predict = [&](std::int64_t passes, std::uint64_t masks, bool each = false) {
    return one.predict(*plan.val, passes, masks, 1, each ? Keep::kPassLosses : Keep::kAll);
  };
  // The seed of the masks stands for another pass: three passes, each alone, by hand.
  const std::uint64_t masks = evaluation_masks(trainer.planned().settings);
  EXPECT_NE(masks, plan.settings.seed);
  const Predictions first = predict(1, masks), again = predict(1, masks),
                    other = predict(1, masks + 1), all = predict(2, masks);
  EXPECT_EQ(first.scores, again.scores);
  EXPECT_NE(first.scores, other.scores);
  EXPECT_NE(first.scores, all.scores);
  // Of two passes the first is the one alone, so that the second follows, and it is a pass, too.
  double lowest = 1, sum = 0;
  for (std::size_t i = 0; i < all.count(); ++i) {
    double total = 0;
    for (std::size_t v = 0; v < all.classes; ++v) {
      const std::size_t at = i * all.classes + v;
      const double second = 2 * std::exp(static_cast<double>(all.scores[at])) -
                            std::exp(static_cast<double>(first.scores[at]));
      lowest = std::min(lowest, second);
      total += second;
    }
    sum = std::max(sum, std::abs(total - 1));
  }
  EXPECT_GT(lowest, -1e-6);
  EXPECT_LT(sum, 1e-5);
  // By Jensen the mixture is no worse than its passes.
  EXPECT_LT(all.examined.loss, predict(2, masks, true).examined.loss);
  // What a run reports is the mixture.
  const RunResult result = run(trainer);
  EXPECT_NEAR(*result.val_loss, trainer.predict(Split::kVal).examined.loss, 1e-12);
  EXPECT_NE(*result.val_loss, trainer.evaluate().loss);
}

// A stretch of rows hears what these rows are told in the whole, masks included.
TEST(Predictor, PartsAreThoseOfTheWhole) {
  const LanguageModelling task = small_task(4000, 16 * 50 + 5);
  Trainer trainer(small("mc:3"), task);
  for (int i = 0; i < 10; ++i) trainer.advance();
  Predictor predictor(task, trainer.params(), trainer.planned().config, models::Mode::kNoisy, 8);
  engine::Buffer arena(predictor.arena_bytes());
  predictor.allocate({arena.data(), arena.size()});
  ASSERT_EQ(predictor.batch_rows(), 8);
  const Exam& exam = trainer.exam(Split::kVal);
  const Predictions whole = predictor.predict(exam, 3, 7, 1);
  std::vector<float> scores, windows;
  for (std::int64_t from = 0; from < exam.rows(); from += 16) {
    const Predictions part = predictor.predict(exam, 3, 7, 1, Keep::kAll, {from, from + 16});
    scores.insert(scores.end(), part.scores.begin(), part.scores.end());
    windows.insert(windows.end(), part.examined.windows.begin(), part.examined.windows.end());
  }
  EXPECT_EQ(scores, whole.scores);
  EXPECT_EQ(windows, whole.examined.windows);
}

TEST(Predictor, WithoutNoiseAllWaysAreThePlainOne) {
  const LanguageModelling task = small_task(4000, 500);
  const double plain =
      *[&] {
        Trainer t(small("plain", 0), task);
        return run(t);
      }()
           .val_loss;
  for (const char* how : {"corrected", "mc:2"}) {
    Trainer t(small(how, 0), task);
    EXPECT_NEAR(*run(t).val_loss, plain, 1e-6) << how;
  }
  Trainer noisy(small("corrected"), task), still(small("plain"), task);
  EXPECT_NE(*run(noisy).val_loss, *run(still).val_loss);
}

// Of a normal forecast the same loss as the op's, and of several passes their mixture's moments.
TEST(Predictor, NormalForecasts) {
  Settings s = small();
  for (const auto& [name, value] : {std::pair{"task", "in_context"}, {"eval_tokens", "640"}})
    set(s, name, value);
  const std::unique_ptr<Task> task = load_task(s);
  Trainer trainer(s, *task);
  for (int i = 0; i < 30; ++i) trainer.advance();
  const Predictions said = trainer.predict(Split::kTest);
  EXPECT_EQ(said.kind, TargetKind::kNormal);
  ASSERT_EQ(said.count(), static_cast<std::size_t>(trainer.exam(Split::kTest).tokens()));
  ASSERT_EQ(said.truth.size(), 2 * said.count());
  EXPECT_NEAR(said.examined.loss, trainer.evaluate(Split::kTest).loss, 1e-5);
  // Of the first pair nothing is known: y = w·x + ε, of variance |x|² + σ².
  const auto& first = trainer.exam(Split::kTest);
  std::vector<float> features(16 * 11), targets(16);
  first.fill(0, 1, std::array<void*, 2>{features.data(), targets.data()});
  double square = 0.25;
  for (int i = 6; i < 11; ++i)
    square += static_cast<double>(features[static_cast<std::size_t>(i)]) *
              static_cast<double>(features[static_cast<std::size_t>(i)]);
  EXPECT_NEAR(said.truth[0], 0, 1e-9);
  EXPECT_NEAR(said.truth[1], std::sqrt(square), 1e-6);
  Predictor noisy(*task, trainer.params(), trainer.planned().config, models::Mode::kNoisy);
  engine::Buffer arena(noisy.arena_bytes());
  noisy.allocate({arena.data(), arena.size()});
  const auto predict = [&](std::int64_t passes) {
    return noisy.predict(trainer.exam(Split::kTest), passes, 7, 1);
  };
  const Predictions one = predict(1), two = predict(2);
  double loss = 0;
  for (std::size_t i = 0; i < two.count(); ++i) {
    // The second pass follows from the first and the mixture.
    const auto square_of = [](double m, double sd) { return m * m + sd * sd; };
    const double mean = 2 * two.means[i] - one.means[i],
                 variance = 2 * square_of(two.means[i], two.sds[i]) -
                            square_of(one.means[i], one.sds[i]) - mean * mean;
    ASSERT_GT(variance, 0);
    const auto density = [&](double m, double v) {
      return std::exp(-0.5 * std::pow(two.targets[i] - m, 2) / v) / std::sqrt(2 * M_PI * v);
    };
    loss -=
        std::log((density(one.means[i], one.sds[i] * one.sds[i]) + density(mean, variance)) / 2);
  }
  EXPECT_NEAR(loss / static_cast<double>(two.count()), two.examined.loss, 1e-4)
      << "of the mixture, not of a normal with its moments";
  EXPECT_NE(one.means, two.means);
  // Means far from 0 cost the deviations no digits.
  engine::Params& params = trainer.params();
  const int head = params.find("head.weight");  // (2,C), means first
  ASSERT_GE(head, 0);
  for (std::int64_t i = 0; i < params[head].shape.numel() / 2; ++i) params.value(head)[i] *= 1e9F;
  const Predictions far = predict(1);
  EXPECT_GT(std::abs(far.means[40]), 1e6);
  EXPECT_EQ(far.sds, one.sds);
}

// The corpus' own probabilities sum to 1 and have its own loss.
TEST(Predictor, TruthIsThatOfWhoeverMadeTheText) {
  Settings s = small();
  s.text.clear();
  s.budget = "2steps";
  const LanguageModelling task(load_corpus(s));
  const auto exam = task.exam(s, Split::kTest);
  const auto V = static_cast<std::size_t>(task.corpus().vocab);
  double loss = 0;
  for (std::int64_t row = 0; row < exam->rows(); ++row) {
    const std::vector<double> p = exam->truth(row);
    ASSERT_EQ(p.size(), 16 * V);
    for (std::int64_t t = 0; t < exam->tokens(row); ++t) {
      double sum = 0;
      for (std::size_t v = 0; v < V; ++v) sum += p[static_cast<std::size_t>(t) * V + v];
      ASSERT_NEAR(sum, 1, 1e-9);
      const auto next = static_cast<std::size_t>(
          task.corpus().test.ids[static_cast<std::size_t>(row * 16 + t + 1)]);
      loss -= std::log(p[static_cast<std::size_t>(t) * V + next]);
    }
  }
  EXPECT_NEAR(loss / static_cast<double>(exam->tokens()), *task.constants().bayes_loss_window,
              1e-9);
  EXPECT_TRUE(task.exam(s, Split::kTrainSubset)->truth(0).empty());
}

}  // namespace
}  // namespace train
