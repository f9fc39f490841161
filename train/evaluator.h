// The loss of a model on fixed tokens, regularizers off.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/plan.h"
#include "models/gpt.h"

namespace train {

class Evaluator {
 public:
  /// Records the evaluation form of the model over the same parameters.
  Evaluator(engine::Params& params, const models::GptConfig& config);

  std::size_t arena_bytes() const { return plan_.arena_bytes(); }
  /// As Plan::lend().
  void lend(std::span<std::byte> arena) { plan_.lend(arena); }
  /// Mean cross-entropy over all tokens but the first, in windows of T that don't overlap, tail
  /// included; nats per token. NaN where the model gives it. `progress`: share of the
  /// training budget spent, of which the evaluation form of a regularizer may be a function.
  double loss(std::span<const std::int32_t> tokens, double progress = 1);

 private:
  std::int64_t rows_, time_;
  models::Gpt gpt_;
  engine::Plan plan_;
  std::vector<std::int32_t> tokens_, targets_;
};

}  // namespace train
