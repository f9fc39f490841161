// Recalibration reads 64 batches, at the moment's progress, outside the budget.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/small_corpus.h"
#include "train/run.h"

namespace train {
namespace {

/// Notes which steps the feed is asked for; the batch of one of them can be spoiled.
class Spy final : public Task {
 public:
  explicit Spy(std::uint64_t spoiled = ~0ULL) : spoiled_(spoiled) {}
  std::string_view name() const override { return "spy"; }
  std::string data_hash() const override { return inner_.data_hash(); }
  DataSummary describe(const Settings& s) const override { return inner_.describe(s); }
  nlohmann::ordered_json encoding() const override { return inner_.encoding(); }
  std::size_t bytes() const override { return inner_.bytes(); }
  models::GptConfig model(const Settings& s) const override { return inner_.model(s); }
  Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                  models::Mode mode, models::Output output) const override {
    return inner_.record(tape, config, rows, mode, output);
  }
  std::unique_ptr<Feed> feed(const Settings& s) const override {
    return std::make_unique<SpyFeed>(inner_.feed(s), spoiled_, steps);
  }
  std::unique_ptr<Exam> exam(const Settings& s, Split split) const override {
    return inner_.exam(s, split);
  }
  bool own_exams() const override { return false; }

  mutable std::vector<std::uint64_t> steps;

 private:
  class SpyFeed final : public Feed {
   public:
    SpyFeed(std::unique_ptr<Feed> inner, std::uint64_t spoiled, std::vector<std::uint64_t>& steps)
        : inner_(std::move(inner)), spoiled_(spoiled), steps_(steps) {}
    void fill(std::uint64_t step, std::int64_t first, std::int64_t rows,
              std::span<void* const> inputs) override {
      inner_->fill(step, first, rows, inputs);
      if (step == spoiled_) std::fill_n(static_cast<std::int32_t*>(inputs[0]), 16 * rows, 0);
      steps_.push_back(step);
    }
    double tokens_per_epoch() const override { return inner_->tokens_per_epoch(); }

   private:
    std::unique_ptr<Feed> inner_;
    std::uint64_t spoiled_;
    std::vector<std::uint64_t>& steps_;
  };

  LanguageModelling inner_ = tests::small_task(4000, 300);
  std::uint64_t spoiled_;
};

Settings settings() {
  Settings s;
  s.n_layer = 1;
  s.n_head = 2;
  s.n_embd = 32;
  s.block_size = 16;
  s.batch = 8;
  s.budget = "5steps";
  s.norm = "batchnorm";
  s.recalibrate_norm = true;
  return s;
}

TEST(Recalibration, ReadsSixtyFourBatchesOutsideTheBudget) {
  const Spy task;
  Trainer trainer(settings(), task);
  const RunResult r = run(trainer);
  ASSERT_EQ(task.steps.size(), 5U + 64U);
  for (std::uint64_t i = 0; i < 64; ++i) EXPECT_EQ(task.steps[5 + i], i);
  EXPECT_EQ(r.spent.steps, 5);
  EXPECT_EQ(r.spent.tokens, 5 * 8 * 16);
  EXPECT_EQ(r.recalibration.steps, 64);
  EXPECT_EQ(r.recalibration.tokens, 64 * 8 * 16);
  // A forward pass is a third of a step.
  EXPECT_NEAR(r.recalibration.flops, 64 * trainer.flops_per_step() / 3, 1);
  EXPECT_GT(r.recalibration.seconds, 0);
}

TEST(Recalibration, EveryBatchCounts) {
  const auto loss = [](std::uint64_t spoiled) {
    const Spy task(spoiled);
    Trainer trainer(settings(), task);
    return *run(trainer).val_loss;
  };
  const double whole = loss(~0ULL);
  EXPECT_NE(loss(5), whole);
  EXPECT_NE(loss(63), whole);
  EXPECT_EQ(loss(64), whole);
}

TEST(Recalibration, StartsAnew) {
  const Spy task;
  Trainer trainer(settings(), task);
  run(trainer);
  const double once = trainer.evaluate().loss;
  trainer.recalibrate();
  EXPECT_EQ(trainer.evaluate().loss, once) << "what was estimated before does not count";
}

TEST(Recalibration, RunsAtTheProgressOfTheMoment) {
  const Spy task;
  Settings s = settings();
  s.reg = "dropout_original:0.5~late:0.5";  // scales where it does not drop
  Trainer trainer(s, task);
  const auto loss_at = [&](double progress) {
    trainer.state().progress = progress;
    trainer.recalibrate();
    trainer.state().progress = 1;
    return trainer.evaluate().loss;
  };
  EXPECT_NE(loss_at(0.9), loss_at(0.1));
}

}  // namespace
}  // namespace train
