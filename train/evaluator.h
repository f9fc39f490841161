// The forms of a task's model beside training: loss on fixed rows, predictions, recalibrated norms.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/plan.h"
#include "train/tasks/task.h"

namespace train {

/// One form of a task's model with the memory of its inputs.
class BoundPlan {
 public:
  /// Records and plans; allocates nothing. REQUIRES: `params` outlive this.
  BoundPlan(const Task& task, engine::Params& params, const models::GptConfig& config,
            std::int64_t rows, models::Mode mode, models::Output output = models::Output::kLoss,
            bool recompute = false);

  /// Allocates the inputs; all else is in `arena`, as Plan::lend().
  void allocate(std::span<std::byte> arena);

  std::int64_t rows() const { return rows_; }
  /// Where Feed and Exam write. REQUIRES: allocated.
  std::span<void* const> inputs() const { return inputs_; }
  /// Of the first rows / passes rows, every one `passes` times, one behind the other.
  void repeat_rows(std::int64_t passes);
  /// Recorded::reported of the last step; but for kTrain that of a row.
  double reported(std::int64_t row = 0) const {
    return static_cast<double>(plan_.view(values_.reported).f32()[row]);
  }
  /// Recorded::outputs of the last step. REQUIRES: recorded with Output::kLogits, allocated.
  engine::View outputs() const { return plan_.view(values_.outputs); }
  /// The memory of Recorded::targets. REQUIRES: allocated.
  const void* targets() const;
  engine::Plan& plan() { return plan_; }
  const engine::Plan& plan() const { return plan_; }

 private:
  std::int64_t rows_;
  Recorded values_;
  engine::Plan plan_;
  std::vector<engine::Buffer> memory_;
  std::vector<void*> inputs_;
};

/// What an exam gave.
struct Examined {
  double loss = 0;             // mean over all targets that count; NaN if the model gives it
  std::vector<float> windows;  // that of each row
};

/// Rows of a batch that is evaluated.
std::int64_t evaluation_rows(const models::GptConfig& config);

class Evaluator {
 public:
  /// Records an evaluation form of the model, kEval or kCorrected, over the same parameters.
  Evaluator(const Task& task, engine::Params& params, const models::GptConfig& config,
            models::Mode mode = models::Mode::kEval);

  std::size_t arena_bytes() const { return plan_.plan().arena_bytes(); }
  /// As BoundPlan::allocate().
  void allocate(std::span<std::byte> arena) { plan_.allocate(arena); }
  /// What the task reports (nats per token). `progress`: share of the training budget spent, of
  /// which the evaluation form of a regularizer may be a function.
  Examined examine(const Exam& exam, double progress = 1);

 private:
  BoundPlan plan_;
};

/// Training with dropout leaves running variances of activations that carry noise; evaluation has
/// none, so batchnorm divides by too much (the "variance shift", Li et al. 2018, arXiv:1801.05134:
/// under dropout with keep probability q by a variance 1/q too large). This averages the batch
/// statistics of the final weights over a fixed number of training batches without noise.
class Recalibration {
 public:
  static constexpr std::int64_t kBatches = 64;

  /// Records the model over the same parameters. `rows`: of one batch, as training has it.
  Recalibration(const Task& task, engine::Params& params, const models::GptConfig& config,
                std::int64_t rows);

  std::size_t arena_bytes() const { return plan_.plan().arena_bytes(); }
  /// As BoundPlan::allocate().
  void allocate(std::span<std::byte> arena) { plan_.allocate(arena); }
  /// Replaces the running statistics by those over the first rows of the first kBatches steps.
  /// `progress`: share of the training budget spent.
  void run(Feed& feed, double progress);
  /// Rows that run() reads.
  std::int64_t rows() const { return kBatches * plan_.rows(); }

 private:
  engine::Params& params_;
  BoundPlan plan_;
};

/// Of the targets that count, in the exam's order.
struct Predictions {
  TargetKind kind = TargetKind::kClass;
  // kClasses: logarithms of probabilities (n,classes).
  std::size_t classes = 0;
  std::vector<float> scores;
  std::vector<std::int32_t> labels;
  // kNormal: (n) each; of several passes the moments of their mixture.
  std::vector<double> means, sds, targets;
  // The data's true (n,classes) probabilities, or (n,2) mean and sd, if they are known; or empty.
  std::vector<double> truth;
  Examined examined;  // the losses; of several passes those of the mixture

  std::size_t count() const { return kind == TargetKind::kClass ? labels.size() : targets.size(); }
};

/// What is kept of predictions: all; all but the truth, which takes time; the losses alone; or the
/// mean of the passes' losses instead of the mixture's.
enum class Keep : std::uint8_t { kAll, kForecasts, kLosses, kPassLosses };

/// −log of the density N(mean, sd²) at y, nats.
double normal_nll(double mean, double sd, double y);
/// log(eᵃ + eᵇ)
double log_add(double a, double b);

/// A stretch of an exam's rows, from a whole number of batches on; `to` 0: to the end.
struct RowRange {
  std::int64_t from = 0, to = 0;
};

class Predictor {
 public:
  /// `mode`: kEval, kNoisy or kCorrected, or kTrain for what training computes (without what
  /// regularizers add to the loss). `rows`: of a batch; 0: as many as there is room for.
  Predictor(const Task& task, engine::Params& params, models::GptConfig config, models::Mode mode,
            std::int64_t rows = 0);

  std::size_t arena_bytes() const { return plan_.plan().arena_bytes(); }
  void allocate(std::span<std::byte> arena) { plan_.allocate(arena); }
  std::int64_t batch_rows() const { return plan_.rows(); }

  /// Probabilities averaged over `passes` with masks of the seed `masks`. In kTrain the rows that
  /// fill no whole batch are left out. Of a stretch the same is said as of these rows in the whole.
  Predictions predict(const Exam& exam, std::int64_t passes, std::uint64_t masks, double progress,
                      Keep keep = Keep::kAll, RowRange stretch = {});

 private:
  TargetKind kind_;
  bool whole_;  // batches alone: rows that are padded would count in a batch's statistics
  models::GptConfig config_;
  BoundPlan plan_;
};

}  // namespace train
