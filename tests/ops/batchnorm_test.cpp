// Batchnorm's running statistics: how they follow the batches, the variance shift under dropout
// (Li et al. 2018, arXiv:1801.05134), and recalibration, which undoes it.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "engine/plan.h"
#include "engine/rng.h"
#include "models/norm_table.h"
#include "ops/noise_op.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"

namespace {

using engine::Ref;
using models::Mode;

constexpr std::int64_t kB = 16, kT = 16, kC = 32;
constexpr std::size_t kElements = kB * kT * kC;

/// Standard normal numbers, others for every call.
class Normal {
 public:
  void fill(std::vector<float>& x) {
    engine::Params params;
    params.declare("x", {kB, kT, kC}, {engine::Init::Kind::kNormal, 1});
    params.allocate(seed_++);
    x.assign(params.value(0), params.value(0) + kElements);
  }

 private:
  std::uint64_t seed_ = 1;
};

/// x (B,T,C) → [dropout in kTrain] → batchnorm
class Layer {
 public:
  Layer(engine::Params& params, double rate, Mode mode) {
    engine::Tape tape(params);
    const Ref in = tape.input("x", {kB, kT, kC}, engine::DType::kF32);
    Ref x = in;
    if (mode == Mode::kTrain && rate > 0)
      x = ops::noise(tape, "drop", x,
                     {&ops::noise_kind("dropout"), {1, [rate](double) { return rate; }}, "drop"});
    out_ = models::norm_kind("batchnorm").build({tape, "norm", x, true, mode});
    engine::PlanOptions options;
    options.training = false;
    plan_.emplace(std::move(tape), out_, options);
    x_.resize(kElements);
    plan_->bind(in, x_.data());
  }

  /// Variance of the output for a fresh batch.
  double run(Normal& normal) {
    normal.fill(x_);
    plan_->forward({.seed = 1, .index = step_++});
    const float* y = plan_->view(out_).f32();
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < kElements; ++i) {
      sum += static_cast<double>(y[i]);
      squares += static_cast<double>(y[i]) * static_cast<double>(y[i]);
    }
    const double mean = sum / kElements;
    return squares / kElements - mean * mean;
  }
  std::vector<float>& x() { return x_; }

 private:
  Ref out_;
  std::optional<engine::Plan> plan_;
  std::vector<float> x_;
  std::uint64_t step_ = 0;
};

double value(const engine::Params& params, const std::string& name, std::size_t i = 0) {
  return static_cast<double>(params.value(params.find(name))[i]);
}

// With dropout the variance in training is 1/q; evaluation has a variance of 1 and divides it by
// 1/q: the variance of what comes out is q of training's. The running variance is known from about
// 19 batches of 8192 elements, so the ratio to 1 %.
TEST(BatchNorm, DropoutShiftsTheVarianceByQAndRecalibrationUndoesIt) {
  for (const double rate : {0.5, 0.2}) {
    engine::Params params;
    Layer training(params, rate, Mode::kTrain), evaluation(params, rate, Mode::kEval),
        recalibration(params, rate, Mode::kRecalibrate);
    params.allocate(1);
    Normal normal;
    double trained = 0;
    for (int i = 0; i < 100; ++i) trained = training.run(normal);
    EXPECT_NEAR(trained, 1, 1e-3);
    EXPECT_NEAR(evaluation.run(normal) / trained, 1 - rate, 0.03);

    params.reset_state();
    for (int i = 0; i < 64; ++i) recalibration.run(normal);
    EXPECT_EQ(value(params, "norm.num_batches_tracked"), 64);
    EXPECT_NEAR(evaluation.run(normal) / trained, 1, 0.03);
  }
}

// Plain averages of the first ten batches, then a tenth of each new one; the variance is unbiased.
TEST(BatchNorm, RunningStatisticsFollowTheBatches) {
  for (const Mode mode : {Mode::kTrain, Mode::kRecalibrate}) {
    engine::Params params;
    Layer layer(params, 0, mode);
    params.allocate(1);
    Normal normal;
    double mean = 0, variance = 0;
    for (int n = 1; n <= 15; ++n) {
      layer.run(normal);
      double sum = 0, squares = 0;  // of channel 3
      for (std::size_t i = 3; i < kElements; i += kC) {
        sum += static_cast<double>(layer.x()[i]);
        squares += static_cast<double>(layer.x()[i]) * static_cast<double>(layer.x()[i]);
      }
      constexpr double kRows = kB * kT;
      const double share = mode == Mode::kTrain ? std::max(0.1, 1.0 / n) : 1.0 / n;
      mean += share * (sum / kRows - mean);
      variance += share * ((squares - sum * sum / kRows) / (kRows - 1) - variance);
      ASSERT_NEAR(value(params, "norm.running_mean", 3), mean, 1e-6) << n;
      ASSERT_NEAR(value(params, "norm.running_var", 3), variance, 1e-5) << n;
    }
  }
}

train::Settings settings(bool recalibrate) {
  train::Settings s;
  s.n_layer = 2;
  s.n_head = 2;
  s.n_embd = 32;
  s.block_size = 16;
  s.batch = 12;
  s.budget = "30steps";
  s.norm = "batchnorm";
  s.dropout = 0.4;
  s.recalibrate_norm = recalibrate;
  return s;
}

TEST(BatchNorm, RecalibrationTouchesNothingButTheLastEvaluation) {
  const train::LanguageModelling task = tests::small_task(4000, 500);
  train::Trainer with(settings(true), task), without(settings(false), task);
  std::vector<double> losses[2];
  const auto note = [](std::vector<double>& to) {
    return train::CallSink([&to](const train::Progress& p) {
      if (p.val_loss) to.push_back(*p.val_loss);
    });
  };
  train::CallSink first = note(losses[0]), second = note(losses[1]);
  const train::RunResult a = train::run(with, {&first}), b = train::run(without, {&second});
  EXPECT_EQ(a.running_loss, b.running_loss);
  ASSERT_EQ(losses[0].size(), losses[1].size());
  for (std::size_t i = 0; i + 1 < losses[0].size(); ++i) EXPECT_EQ(losses[0][i], losses[1][i]);
  EXPECT_NE(a.val_loss, b.val_loss);
  EXPECT_NE(a.train_loss, b.train_loss);
  const engine::Params &p = with.params(), &q = without.params();
  for (int i = 0; i < static_cast<int>(p.list().size()); ++i) {
    if (!p[i].trainable) continue;
    EXPECT_TRUE(std::equal(p.value(i), p.value(i) + p[i].shape.numel(), q.value(i))) << p[i].name;
  }
  EXPECT_EQ(value(p, "ln_f.num_batches_tracked"), 64);
  EXPECT_EQ(a.recalibration.steps, 64);
  EXPECT_EQ(b.recalibration.steps, 0);
  EXPECT_EQ(value(q, "ln_f.num_batches_tracked"), 30);
}

// A plan that runs ops again to save memory counts each batch once, and changes no bit.
TEST(BatchNorm, RecomputingCountsABatchOnce) {
  std::vector<float> first;
  for (const bool recompute : {false, true}) {
    models::GptConfig config;
    config.n_layer = 2;
    config.n_embd = 32;
    config.norm = &models::norm_kind("batchnorm");
    engine::Params params;
    engine::Tape tape(params);
    const models::Gpt gpt = models::record_gpt(tape, config, 2, 8, Mode::kTrain);
    engine::PlanOptions options;
    options.recompute = recompute;
    engine::Plan plan(std::move(tape), gpt.loss, options);
    params.allocate(1);
    std::vector<std::int32_t> tokens(16, 3), targets(16, 4);
    for (std::size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = static_cast<std::int32_t>(i * 7 % 65);
    plan.bind(gpt.tokens, tokens.data());
    plan.bind(gpt.targets, targets.data());
    plan.forward({});
    plan.backward({});
    EXPECT_EQ(value(params, "h.1.ln_2.num_batches_tracked"), 1);
    std::vector<float> all;
    for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
      all.insert(
          all.end(), params[i].trainable ? params.grad(i) : params.value(i),
          (params[i].trainable ? params.grad(i) : params.value(i)) + params[i].shape.numel());
    if (!recompute) first = all;
    EXPECT_EQ(all, first);
  }
}

}  // namespace
