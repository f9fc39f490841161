// The loop around the steps: decides when to evaluate, to tell the sinks and to stop.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/log/sink.h"
#include "train/trainer.h"

namespace train {

struct RunResult {
  bool stopped = false;  // on request: its state is kept, and nothing below but `spent` is known
  // The loss is not finite, or that of the result on the training data is ten times that of a
  // uniform guess (of the first step, if there is no such guess), and is then in train_loss.
  bool diverged = false;
  std::int64_t diverged_at = 0;  // step, from 1
  double diverged_lr = 0;
  std::optional<double> val_loss, best_val_loss;  // of the result, lowest seen; nats per token
  std::optional<double> test_loss;                // where there is a test split
  std::optional<double> train_loss;               // regularizers off, on a fixed subset
  double running_loss = 0;                        // regularizers on, at the end
  double first_loss = 0, late_loss = 0;           // the same of the first step, over the last tenth
  std::vector<float> val_windows, test_windows;   // the losses of each window
  Spent spent;
  double parameters = 0;  // of the model, as counted_parameters(); of an ensemble of all of them
  double fraction = 1;    // of the budget; below 1 where patience or divergence ended the run
  double executed_flops = 0;  // what the ops of the training steps really took
  Spent recalibration;        // outside the budget; its `steps` are forward passes
  double eval_seconds = 0, setup_seconds = 0;
  // By the names of metrics: what the caller measures beside the losses.
  std::map<std::string, double, std::less<>> measured;
};

/// How a run survives its process.
struct Keeping {
  std::int64_t every_steps = 0;  // 0: not by steps
  double every_seconds = 0;      // of the clock; 0: not by time
  /// Keeps the state as it is: at those intervals, before a stop, and (where there is an interval)
  /// when all steps are done. Empty: nothing is kept.
  std::function<void()> save;
  std::function<bool()> stop;  // asked after every step but the last; empty: never
};

/// Trains from the trainer's state until the budget is spent, early stopping ends it or
/// `keeping.stop` asks for it. Tells `sinks` about every evaluation and, in between, at least once
/// a second; and about the norms every `norms_interval` steps (0: never), in time that is outside
/// the budget.
RunResult run(Trainer& trainer, const std::vector<Sink*>& sinks = {}, const Keeping& keeping = {},
              std::int64_t norms_interval = 0);

/// Trains settings.members models on the same data, each for its part of the budget with initial
/// weights and masks of its own, one after the other; probabilities (of normal forecasts densities)
/// are averaged. The losses are those of the average, best_val_loss with them, late_loss the last
/// member's; what was spent is that of all. Diverged if a member is.
/// REQUIRES: settings are validated, members > 1.
RunResult run_ensemble(const Settings& settings, const Task& task,
                       const std::vector<Sink*>& sinks = {});

}  // namespace train
