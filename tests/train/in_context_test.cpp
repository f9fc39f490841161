// Regression in context: its data, the Bayes predictor, and that a model learns from it.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "data/synthetic/bayes.h"
#include "data/text/batches.h"
#include "engine/rng.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "train/run.h"
#include "train/tasks/in_context_regression.h"

namespace train {
namespace {

constexpr auto kInContextDim = static_cast<std::size_t>(InContextRegression::kDim);

Settings in_context(std::int64_t time = 16) {
  Settings s;
  set(s, "preset", "tiny");
  s.task = "in_context";
  s.block_size = time;
  return s;
}

/// Features (rows,T,2d+1) and targets (rows,T).
struct Filled {
  Filled(std::int64_t rows, std::int64_t time)
      : x(static_cast<std::size_t>(rows * time * InContextRegression::kFeatures)),
        y(static_cast<std::size_t>(rows * time)),
        inputs{x.data(), y.data()} {}
  std::vector<float> x, y;
  void* inputs[2];
};

Filled fed(Feed& feed, std::uint64_t step, std::int64_t rows, std::int64_t first = 0) {
  Filled out(rows, 16);
  feed.fill(step, first, rows, out.inputs);
  return out;
}

/// A⁻¹·b by elimination without pivots: A (d,d) is positive definite.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t d = b.size();
  for (std::size_t k = 0; k < d; ++k)
    for (std::size_t i = 0; i < d; ++i) {
      if (i == k) continue;
      const double f = a[i * d + k] / a[k * d + k];
      for (std::size_t j = 0; j < d; ++j) a[i * d + j] -= f * a[k * d + j];
      b[i] -= f * b[k];
    }
  for (std::size_t k = 0; k < d; ++k) b[k] /= a[k * d + k];
  return b;
}

// Every prefix by the normal equations, (I + XᵀX/σ²)·m = Xᵀy/σ².
TEST(BayesRegression, IsThePosteriorOfEveryPrefix) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 1);
  for (const std::size_t d : {std::size_t{1}, std::size_t{5}}) {
    const std::size_t T = 9;
    const double noise = 0.3;
    std::vector<float> x(T * d), y(T);
    for (float& v : x) v = static_cast<float>(4 * random.uniform() - 2);
    for (float& v : y) v = static_cast<float>(4 * random.uniform() - 2);
    const auto at = [&](std::size_t t, std::size_t i) { return static_cast<double>(x[t * d + i]); };
    const std::vector<double> got = data::bayes_predictions(x, y, noise);
    ASSERT_EQ(got.size(), 2 * T);
    for (std::size_t t = 0; t < T; ++t) {
      std::vector<double> precision(d * d, 0.0), right(d, 0.0), query(d);
      for (std::size_t i = 0; i < d; ++i) {
        precision[i * d + i] = 1;
        query[i] = at(t, i);
        for (std::size_t s = 0; s < t; ++s) {
          right[i] += at(s, i) * static_cast<double>(y[s]) / (noise * noise);
          for (std::size_t j = 0; j < d; ++j)
            precision[i * d + j] += at(s, i) * at(s, j) / (noise * noise);
        }
      }
      const auto weights = solve(precision, right), spread = solve(precision, query);
      double mean = 0, variance = noise * noise;
      for (std::size_t i = 0; i < d; ++i) {
        mean += weights[i] * query[i];
        variance += spread[i] * query[i];
      }
      EXPECT_NEAR(got[2 * t], mean, 1e-9);
      EXPECT_NEAR(got[2 * t + 1], std::sqrt(variance), 1e-9);
    }
  }
}

// d = 1 by integrating over a grid of w, which knows nothing of Gaussian algebra.
TEST(BayesRegression, IsTheIntegralOverAllFunctions) {
  const std::vector<float> x = {0.5F, -1.5F, 1, 2}, y = {1, -1, 0.25F, 3};
  const double noise = 0.5;
  const std::vector<double> got = data::bayes_predictions(x, y, noise);
  for (std::size_t t = 0; t < x.size(); ++t) {
    double mass = 0, first = 0, second = 0;
    for (double w = -8; w <= 8; w += 1e-3) {
      double exponent = -0.5 * w * w;
      for (std::size_t s = 0; s < t; ++s) {
        const double z = (static_cast<double>(y[s]) - w * static_cast<double>(x[s])) / noise;
        exponent -= 0.5 * z * z;
      }
      const double p = std::exp(exponent), f = w * static_cast<double>(x[t]);
      mass += p, first += p * f, second += p * f * f;
    }
    const double mean = first / mass;
    EXPECT_NEAR(got[2 * t], mean, 1e-6);
    EXPECT_NEAR(got[2 * t + 1], std::sqrt(second / mass - mean * mean + noise * noise), 1e-6);
  }
  EXPECT_NEAR(data::normal_loss(std::vector<double>{0, 2}, std::vector<float>{3}),
              0.5 * std::log(2 * std::numbers::pi * 4) + 9.0 / 8, 1e-12);
}

TEST(RowOrder, ShowsEveryRowOnceAnEpochInAnotherOrderEach) {
  data::RowOrder order(7, 3, 5);
  std::vector<std::vector<std::uint32_t>> epochs(3);
  for (std::uint64_t n = 0; n < 21; ++n)
    epochs[n / 7].push_back(order.at(n / 3, static_cast<std::int64_t>(n % 3)));
  for (const auto& epoch : epochs) EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), 7U);
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  EXPECT_EQ(order.at(0, 2), epochs[0][2]) << "back again";
  EXPECT_NE(data::RowOrder(7, 3, 6).at(0, 0) + 7 * data::RowOrder(7, 3, 6).at(0, 1),
            order.at(0, 0) + 7 * order.at(0, 1));
  EXPECT_ERROR(data::RowOrder(0, 1, 1), "no rows to train on");
}

TEST(InContext, ATokenIsThePairBeforeAndTheQuery) {
  const Settings s = in_context();
  const auto task = load_task(s);
  const auto feed = task->feed(s);
  const Filled batch = fed(*feed, 3, 2);
  constexpr std::size_t kWidth = 2 * kInContextDim + 1;
  for (std::size_t k = 0; k < 2 * 16; ++k) {
    const float* token = batch.x.data() + k * kWidth;
    for (std::size_t i = 0; i < kInContextDim; ++i)
      EXPECT_EQ(token[i], k % 16 == 0 ? 0 : token[i - kWidth + kInContextDim + 1]);
    EXPECT_EQ(token[kInContextDim], k % 16 == 0 ? 0 : batch.y[k - 1]);
  }
  // A pure function of step and row, of seeds of their own.
  EXPECT_EQ(fed(*feed, 3, 1, 1).y, std::vector(batch.y.begin() + 16, batch.y.end()));
  EXPECT_NE(fed(*feed, 4, 2).y, batch.y);
  Settings other = s;
  other.seed = 2;
  EXPECT_NE(fed(*task->feed(other), 3, 2).y, batch.y);
  EXPECT_EQ(task->data_hash(), load_task(other)->data_hash()) << "what follows from the seed";
}

TEST(InContext, RepeatsTheFirstRowsOfTheSeed) {
  Settings s = in_context();
  s.unique_tokens = 5 * 16 + 3;
  const auto task = load_task(s);
  const auto feed = task->feed(s);
  EXPECT_EQ(feed->tokens_per_epoch(), 80);
  std::set<std::vector<float>> seen;
  for (std::uint64_t step = 0; step < 9; ++step)
    for (std::int64_t row = 0; row < s.batch; ++row) seen.insert(fed(*feed, step, 1, row).y);
  EXPECT_EQ(seen.size(), 5U);
  const auto exam = task->exam(s, Split::kTrainSubset);
  ASSERT_EQ(exam->rows(), 5);
  Filled all(5, 16);
  exam->fill(0, 5, all.inputs);
  for (int row = 0; row < 5; ++row)
    EXPECT_TRUE(seen.contains({all.y.begin() + 16 * row, all.y.begin() + 16 * (row + 1)}));
  s.unique_tokens = 16;
  EXPECT_EQ(task->feed(s)->tokens_per_epoch(), 16);
  s.unique_tokens = 0;
  s.budget = "3epochs";
  EXPECT_ERROR(task->feed(s),
               "budget 3epochs: rows that are all new have no epochs; give another kind of budget, "
               "or --unique-tokens");
}

// The truth is calibrated: squared residuals are as large as the variances say, and no constant
// prediction comes near.
TEST(InContext, TheTruthIsThatOfItsRows) {
  const Settings s = in_context();
  const auto task = load_task(s);
  const auto test = task->exam(s, Split::kTest);
  ASSERT_EQ(test->rows(), 2048);
  EXPECT_EQ(test->tokens(), 2048 * 16);
  EXPECT_EQ(task->exam(s, Split::kVal)->rows(), 1024);
  Filled all(2049, 16);
  test->fill(0, 2049, all.inputs);
  EXPECT_TRUE(std::isnan(all.y.back())) << "behind the last row";
  EXPECT_EQ(test->tokens(2048), 0);
  double loss = 0, squares = 0, second = 0;
  for (std::size_t row = 0; row < 2048; ++row) {
    const std::vector<double> truth = test->truth(static_cast<std::int64_t>(row));
    const std::span<const float> y(all.y.data() + 16 * row, 16);
    loss += data::normal_loss(truth, y);
    for (std::size_t t = 0; t < 16; ++t) {
      const double target = static_cast<double>(y[t]);
      squares += std::pow((target - truth[2 * t]) / truth[2 * t + 1], 2);
      second += target * target;
    }
  }
  const double n = 2048 * 16;
  EXPECT_NEAR(loss / 2048, task->constants().bayes_loss.value(), 1e-9);
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2 / n));
  EXPECT_NEAR(second / n, 5.25, 0.3);
  EXPECT_LT(loss / 2048, 1.6) << "always N(0, 5.25): 2.25";
  EXPECT_FALSE(task->constants().uniform_loss.has_value());
  EXPECT_EQ(task->target_kind(), TargetKind::kNormal);
  EXPECT_TRUE(task->own_exams());
  Settings few = s;
  few.eval_tokens = 33;
  EXPECT_EQ(task->exam(few, Split::kVal)->rows(), 3);
  tests::expect_has(task->describe(s).sentence, "16 pairs per row");
}

TEST(InContext, AModelLearnsAndDoesNotBeatBayes) {
  Settings s = in_context();
  s.lr = 1e-3;
  s.budget = "500steps";
  s.eval_tokens = 4096;
  const auto task = load_task(s);
  Trainer trainer(s, *task);
  const RunResult r = run(trainer);
  EXPECT_FALSE(r.diverged);
  const double constant = 0.5 * std::log(2 * std::numbers::pi * std::numbers::e * 5.25);
  EXPECT_LT(*r.test_loss, constant - 0.05);
  EXPECT_GT(*r.test_loss, *task->constants().bayes_loss - 0.05);
  EXPECT_EQ(r.spent.epochs, 0) << "nothing is seen twice";
}

TEST(InContext, RefusesWhatIsOfOtherTasks) {
  Settings s = in_context();
  const auto task = load_task(s);
  s.reg = "label_smoothing:0.1";
  EXPECT_ERROR(check_run(s, *task), "label_smoothing adds to the loss of classes");
  s.reg = "embedding_dropout:0.1";
  EXPECT_ERROR(check_run(s, *task), "embedding_dropout drops tokens of a vocabulary");
}

}  // namespace
}  // namespace train
