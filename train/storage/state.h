// All that a run has become so far: with it and the settings the next step is the same bits as if
// nobody had stopped. Nothing that the result depends on is kept anywhere else.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/params.h"
#include "train/config/budget.h"
#include "train/optim/optimizer.h"

namespace train {

/// A budget that was given up for a larger one after so many steps of the run.
struct Stretch {
  std::string budget;
  std::int64_t until = 0;
  bool operator==(const Stretch&) const = default;
};

// A new member gets its line in checkpoint.cpp, which does not compile without it.
struct TrainState {
  std::int64_t step = 0;  // done, and the index of the next
  Spent spent;
  std::unique_ptr<engine::Params> params;  // with the norms' statistics
  Moments moments;
  // of the last step
  double progress = 1;  // share of the budget spent, for schedules
  double lr = 0, grad_norm = 0;
  // of every step: the batch's loss, regularizers on, nats; the gradient's norm before clipping
  std::vector<float> losses, grad_norms;
  // since the last evaluation, regularizers on, nats
  double loss_sum = 0;
  std::int64_t loss_count = 0;
  std::optional<double> val_loss, best_val_loss;  // last, lowest
  std::vector<float> best_weights;                // of the lowest, where the settings ask for it
  std::vector<float> val_windows;                 // losses of those that are the result so far
  // with regularizers on, nats: of the first step, and over the last tenth of the budget
  std::optional<double> first_loss;
  double late_loss_sum = 0;
  std::int64_t late_loss_count = 0;
  std::int64_t worse = 0;  // evaluations since the lowest, for the setting `patience`
  double next_eval = 0;    // share of a budget in seconds
  double eval_seconds = 0;
  Spent recalibration;           // outside the budget
  std::vector<Stretch> earlier;  // budgets that were extended, first to last

  double running_loss() const { return loss_sum / static_cast<double>(loss_count); }
};

}  // namespace train
