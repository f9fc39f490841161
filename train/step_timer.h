// Steps that are made only to be timed: they spend no budget and are no run.
#pragma once
#include <cstdint>
#include <utility>

#include "base/measure.h"
#include "train/trainer.h"

namespace train {

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
