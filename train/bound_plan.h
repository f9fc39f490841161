// One form of a task's model (training, evaluation, recalibration) with the memory of its inputs.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/plan.h"
#include "train/tasks/task.h"

namespace train {

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

}  // namespace train
