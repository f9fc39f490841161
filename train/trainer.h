// One run's machine: what was planned, allocated, and the state that it advances step by step.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/measure.h"
#include "engine/plan.h"
#include "train/distributed/gradient_reducer.h"
#include "train/run_plan.h"
#include "train/storage/checkpoint.h"

namespace train {

/// Told about every op of a step as it ends, and about what a step does besides.
class StepObserver : public engine::Observer {
 public:
  enum class Phase : std::uint8_t { kData, kOptimizer };
  virtual void phase(Phase phase, double seconds) = 0;
};

/// Seed of the masks that evaluation draws, none of which training has seen.
std::uint64_t evaluation_masks(const Settings& settings);

class Trainer {
 public:
  /// Records, plans and allocates everything. Throws base::Error if it does not fit in memory.
  /// REQUIRES: settings are validated; `task` outlives this.
  Trainer(const Settings& settings, const Task& task);
  /// Allocates what was planned.
  explicit Trainer(RunPlan plan);

  /// The run's next step: advances state(). Returns the mean loss of the batch with regularizers
  /// on: plain cross-entropy.
  double advance();
  /// The budget is spent, or patience is at its end.
  bool finished() const;
  /// Share of the budget that is spent: of steps where their number is fixed.
  double fraction() const;

  /// One whole step (batch, forward, backward, sum over shards, clipping, update) that spends
  /// nothing: changes parameters and moments. Returns as advance().
  double step(std::uint64_t index, double progress);

  /// Of a split's fixed rows. REQUIRES: there is such a split.
  Examined evaluate(Split split = Split::kVal);
  /// What the model says of a split's rows, by the setting `evaluation`. REQUIRES: as evaluate(),
  /// and planned().predictor.
  Predictions predict(Split split, Keep keep = Keep::kAll);
  /// The result's examination: as evaluate(), by the setting `evaluation`.
  Examined examine(Split split);
  const Exam& exam(Split split) const;
  /// Keeps a copy of the weights, with the norms' statistics, in the state; takes it back.
  void keep_weights();
  void restore_weights();
  /// Estimates the norms' running statistics again, if the settings ask for it. Returns what that
  /// took, which is outside the budget: `steps` are forward passes.
  Spent recalibrate();

  /// Whom step() tells, from now on; null: nobody, at no cost.
  void observe(StepObserver* observer);

  /// As rank 0: sends the state to the others, which from now on make their shards of every step;
  /// step() then throws RankLost if one of them is gone. Call it again when state() was written to.
  /// REQUIRES: the communicator's size divides the setting `shards`; it outlives this.
  /// `shard_moments`: each rank keeps and updates a part of the optimizer's moments, to the same
  /// bits; state() has them only after gather_moments(). REQUIRES: the same in every call.
  void lead(Communicator& communicator, bool shard_moments = false);
  /// As another rank: does what rank 0 tells it, until that ends the run.
  void follow(Communicator& communicator);
  /// With sharded moments, before state().moments or all gradients of a step are read: has the
  /// other ranks send their parts. Throws RankLost.
  void gather_moments();
  void gather_gradients();
  /// Frees what gather_moments() brought.
  void drop_moments();
  /// The moments are lost with any rank.
  bool shards_moments() const { return sharded_.has_value(); }
  /// After a step that threw RankLost: state() is as before it, unless moments are sharded; then
  /// weights may be half updated.
  void undo_step() { reducer_->undo(); }

  /// Resume is: write into it what another run had become, go on.
  TrainState& state() { return state_; }
  const TrainState& state() const { return state_; }
  const RunPlan& planned() const { return planned_; }
  std::int64_t total_steps() const { return planned_.total_steps; }  // 0: budget in seconds
  double tokens_per_step() const { return planned_.tokens_per_step; }
  double flops_per_step() const { return planned_.flops_per_step; }
  const MemoryNeed& memory() const { return planned_.memory; }
  double setup_seconds() const { return setup_seconds_; }
  engine::Params& params() { return *state_.params; }
  engine::Plan& plan() { return planned_.training->plan(); }

 private:
  template <class F>
  void observed(StepObserver::Phase phase, const F& work);
  double gradients(std::uint64_t index, double progress);
  double shard(std::int64_t number, std::uint64_t index, double progress);
  void update(double progress);
  void share_state(Communicator& communicator, bool shard_moments);

  RunPlan planned_;
  TrainState state_;
  engine::Buffer arena_;  // training and evaluation take turns in it
  std::optional<AdamW> optimizer_;
  std::unique_ptr<GradientReducer> reducer_;
  std::optional<ShardedAdamW> sharded_;
  Communicator* led_ = nullptr;  // by this process
  double setup_seconds_ = 0;
  StepObserver* observer_ = nullptr;
};

// Steps that are made only to be timed: they spend no budget and are no run.
/// Where in the budget such a step stands: eight in a row go through the schedules, so that what is
/// off for half of the budget counts half.
inline double timing_progress(std::uint64_t step) {
  return (static_cast<double>(step % 8) + 0.5) / 8;
}

class StepTimer {
 public:
  static constexpr int kWarmUp = 2;  // steps, or rounds of them, that are slower than the rest

  /// Both as Trainer's.
  StepTimer(const Settings& settings, const Task& task) : trainer_(settings, task) {}
  explicit StepTimer(RunPlan plan) : trainer_(std::move(plan)) {}

  /// Makes the next step. Returns its seconds.
  double step(double progress) {
    const base::Stopwatch watch;
    loss_ = trainer_.step(steps_++, progress);
    return watch.seconds();
  }
  double step() { return step(timing_progress(steps_)); }
  bool warm() const { return steps_ > kWarmUp; }  // the last step was

  std::uint64_t steps() const { return steps_; }
  double loss() const { return loss_; }  // of the last step
  Trainer& trainer() { return trainer_; }

 private:
  Trainer trainer_;
  std::uint64_t steps_ = 0;
  double loss_ = 0;
};

}  // namespace train
