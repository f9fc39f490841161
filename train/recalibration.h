// Running statistics of batch norms, estimated anew with regularizers off.
#pragma once
#include "train/bound_plan.h"

namespace train {

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

}  // namespace train
