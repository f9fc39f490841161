// The loss of a model on fixed rows, regularizers off.
#pragma once
#include "train/bound_plan.h"

namespace train {

class Evaluator {
 public:
  /// Records the evaluation form of the model over the same parameters.
  Evaluator(const Task& task, engine::Params& params, const models::GptConfig& config);

  std::size_t arena_bytes() const { return plan_.plan().arena_bytes(); }
  /// As BoundPlan::allocate().
  void allocate(std::span<std::byte> arena) { plan_.allocate(arena); }
  /// Mean of what the task reports (nats per token), every target that counts weighing the same.
  /// NaN where the model gives it. `progress`: share of the training budget spent, of which the
  /// evaluation form of a regularizer may be a function.
  double loss(const Exam& exam, double progress = 1);

 private:
  BoundPlan plan_;
};

}  // namespace train
