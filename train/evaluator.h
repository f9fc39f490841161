// The loss of a model on fixed rows, regularizers off.
#pragma once
#include <vector>

#include "train/bound_plan.h"

namespace train {

/// What an exam gave.
struct Examined {
  double loss = 0;             // mean over all targets that count; NaN where the model gives it
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

}  // namespace train
