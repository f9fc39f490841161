// Running statistics of batch norms, estimated anew with regularizers off.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/plan.h"
#include "models/gpt.h"
#include "train/data/batches.h"

namespace train {

/// Training with dropout leaves running variances of activations that carry noise; evaluation has
/// none, so batchnorm divides by too much (the "variance shift", Li et al. 2018, arXiv:1801.05134:
/// under dropout with keep probability q by a variance 1/q too large). This averages the batch
/// statistics of the final weights over a fixed number of training batches without noise.
class Recalibration {
 public:
  static constexpr std::int64_t kBatches = 64;

  /// Records the model over the same parameters. `rows`: of one batch, as training has it.
  Recalibration(engine::Params& params, const models::GptConfig& config, std::int64_t rows);

  std::size_t arena_bytes() const { return plan_.arena_bytes(); }
  /// As Plan::lend().
  void lend(std::span<std::byte> arena) { plan_.lend(arena); }
  /// Replaces the running statistics by those over the first rows of the first kBatches steps.
  void run(Batches& batches);

 private:
  engine::Params& params_;
  std::int64_t rows_;
  models::Gpt gpt_;
  engine::Plan plan_;
  std::vector<std::int32_t> tokens_, targets_;
};

}  // namespace train
