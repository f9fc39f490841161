// One run: a model, its optimizer, its data, trained for a budget.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "models/gpt.h"
#include "train/architecture.h"
#include "train/budget.h"
#include "train/data/batches.h"
#include "train/data/corpus.h"
#include "train/evaluator.h"
#include "train/optimizer.h"
#include "train/recalibration.h"
#include "train/settings.h"

namespace train {

/// Bytes a run needs at its peak, known before anything is allocated.
struct MemoryNeed {
  std::size_t parameters = 0;  // with gradients
  std::size_t optimizer = 0;
  std::size_t training = 0;  // arena, in which evaluation and recalibration take turns with it
  std::size_t corpus = 0;    // its tokens
  // The program itself, oneDNN with the kernels it generates, stacks and small things: measured
  // over the presets.
  std::size_t program = std::size_t{28} << 20;
  /// What is allocated for the run: corpus and program are there by then.
  std::size_t allocated() const { return parameters + optimizer + training; }
  std::size_t total() const { return allocated() + corpus + program; }
};

/// A point of a run that is worth reporting.
struct Progress {
  std::int64_t step = 0, steps = 0;  // done, and in all (0: the budget is in seconds)
  Spent spent;
  double fraction = 0;             // of the budget
  double train_loss = 0;           // running mean since the last point, regularizers on, nats
  std::optional<double> val_loss;  // nats per token, where it was evaluated
  double lr = 0, grad_norm = 0;
};

/// Told about every op of a step as it ends, and about what a step does besides.
class StepObserver : public engine::Observer {
 public:
  enum class Phase : std::uint8_t { kData, kOptimizer };
  virtual void phase(Phase phase, double seconds) = 0;
};

struct RunResult {
  bool diverged = false;
  std::int64_t diverged_at = 0;  // step, from 1
  double diverged_lr = 0;
  std::optional<double> val_loss, best_val_loss;  // final, lowest seen; nats per token
  std::optional<double> train_loss;               // regularizers off, on a fixed subset
  double running_loss = 0;                        // regularizers on, at the end
  Spent spent;
  double eval_seconds = 0, setup_seconds = 0;
};

/// Throws engine::Error where a run cannot be made: a budget below one step, more unique data than
/// there is, a model that does not fit in memory. Allocates next to nothing.
void check_run(const Settings& settings, const Corpus& corpus);

class Trainer {
 public:
  /// kPlan: as far as allocate(), so that all but step(), run() and evaluate() is known.
  enum class Make : std::uint8_t { kWhole, kPlan };

  /// Records, plans and allocates everything.
  /// REQUIRES: settings are validated; `corpus` outlives this.
  Trainer(const Settings& settings, const Corpus& corpus, Make make = Make::kWhole);

  /// Allocates what was planned. Throws engine::Error where it does not fit.
  /// REQUIRES: made with kPlan, not called before.
  void allocate();

  /// One whole step: batch, forward, backward, clipping, update. Returns the mean loss of the batch
  /// with regularizers on: plain cross-entropy.
  double step(std::uint64_t index, double progress);

  /// Whom step() tells, from now on; null: nobody, at no cost.
  void observe(StepObserver* observer);

  /// Trains for the settings' budget, telling `report` about every evaluation and, in between, at
  /// least once a second.
  RunResult run(const std::function<void(const Progress&)>& report);

  /// Nats per token of the whole validation split, or of its first settings.eval_tokens.
  double evaluate();

  std::int64_t total_steps() const { return total_steps_; }  // 0: budget in seconds
  /// Tokens of all the evaluations of a run; in one of seconds, of as many as it is to have.
  double evaluated_tokens() const;
  double tokens_per_step() const { return tokens_per_step_; }
  double flops_per_step() const { return flops_per_step_; }
  const MemoryNeed& memory() const { return memory_; }
  engine::Params& params() { return *params_; }
  engine::Plan& plan() { return *plan_; }
  double grad_norm() const { return grad_norm_; }

 private:
  /// Every row of the batch `passes` times, one behind the other.
  void repeat_rows(std::int64_t passes);
  template <class F>
  void observed(StepObserver::Phase phase, const F& work);
  std::span<const std::int32_t> validation() const;
  Spent spent(std::int64_t steps, double seconds) const;

  Settings settings_;
  const Corpus& corpus_;
  models::GptConfig config_;
  models::Gpt gpt_;
  Budget budget_;
  Batches batches_;
  std::int64_t total_steps_ = 0;
  double tokens_per_step_ = 0, flops_per_step_ = 0, tokens_per_epoch_ = 0;
  MemoryNeed memory_;
  std::unique_ptr<engine::Params> params_;
  engine::Buffer arena_;  // training and evaluation take turns in it
  std::optional<engine::Plan> plan_;
  std::optional<Evaluator> evaluator_;
  std::optional<Recalibration> recalibration_;
  std::optional<AdamW> optimizer_;
  std::vector<std::int32_t> tokens_, targets_;
  double grad_norm_ = 0, setup_seconds_ = 0, progress_ = 1;  // of the last step
  StepObserver* observer_ = nullptr;
};

}  // namespace train
