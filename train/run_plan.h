// What a run will take, known before anything is allocated.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "train/config/budget.h"
#include "train/config/evaluation.h"
#include "train/config/settings.h"
#include "train/evaluator.h"
#include "train/tasks/task.h"

namespace train {

/// Evaluations of a run whose budget is in seconds.
inline constexpr double kTimedEvaluations = 10;

/// Bytes a run needs at its peak.
struct MemoryNeed {
  std::size_t parameters = 0;    // with gradients
  std::size_t optimizer = 0;     // its moments
  std::size_t best_weights = 0;  // if they are kept
  std::size_t shards = 0;        // sums over shards of a batch, in a process that is alone
  std::size_t training = 0;      // arena, in which evaluation and recalibration take turns with it
  std::size_t measures = 0;  // what is measured of the result: forecasts, other forms of the model
  std::size_t corpus = 0;    // the task's data
  // The program itself, oneDNN with the kernels it generates, stacks and small things: measured
  // over the presets.
  std::size_t program = std::size_t{28} << 20;
  /// What is allocated for the run: corpus and program are there by then.
  std::size_t allocated() const {
    return parameters + optimizer + best_weights + shards + training + measures;
  }
  std::size_t total() const { return allocated() + corpus + program; }
  /// For a process that has one of `parts` parts of the moments.
  void shard_moments(std::size_t parts) { optimizer /= parts; }
};

/// Throws base::Error if a run cannot be made: a budget below one step, more unique data than
/// there is, a model that does not fit in memory. Allocates next to nothing.
void check_run(const Settings& settings, const Task& task);

/// Steps that the settings' budget makes; 0: it is in seconds. Throws base::Error if that is
/// less than one.
std::int64_t planned_steps(const Settings& settings, const Task& task);

/// Everything recorded and planned, nothing allocated: a Trainer is made from it.
struct RunPlan {
  /// Throws base::Error as check_run() does, except for a model that does not fit in memory.
  /// REQUIRES: settings are validated; `task` outlives this and the trainer made from it.
  RunPlan(const Settings& settings, const Task& task);

  Spent spent(std::int64_t steps, double seconds) const;
  /// For a process that gets its part of the moments, one of `parts`, from rank 0.
  void shard_moments(std::size_t parts) {
    moments_sharded = true;
    memory.shard_moments(parts);
  }

  Settings settings;
  models::GptConfig config;
  Budget budget;
  std::int64_t total_steps = 0;  // 0: the budget is in seconds
  double tokens_per_step = 0, flops_per_step = 0, tokens_per_epoch = 0;
  double executed_flops = 0;           // of a step, as the ops count them
  std::optional<double> uniform_loss;  // of the same chance for every outcome, if that is known
  double evaluated_tokens = 0;  // of all evaluations; in a budget of seconds, of as many as planned
  MemoryNeed memory;
  bool moments_sharded = false;
  double seconds = 0;  // that planning took

  std::unique_ptr<Feed> feed;
  std::unique_ptr<Exam> val, test, train_subset;  // test: null if there is no such split
  std::unique_ptr<engine::Params> params;
  std::optional<BoundPlan> training;
  std::optional<Evaluator> evaluator;
  std::optional<Recalibration> recalibration;  // if the settings ask for it
  std::optional<Predictor> predictor;          // likewise, in the mode of `evaluation`
  Evaluation evaluation;
};

}  // namespace train
