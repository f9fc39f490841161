#include "train/bound_plan.h"

#include <algorithm>
#include <cstring>

namespace train {
namespace {

engine::Plan record(const Task& task, engine::Params& params, const models::GptConfig& config,
                    std::int64_t rows, models::Mode mode, models::Output output, bool recompute,
                    Recorded& values) {
  engine::Tape tape(params);
  values = task.record(tape, config, rows, mode, output);
  engine::PlanOptions options;
  options.training = mode == models::Mode::kTrain && output == models::Output::kLoss;
  options.tuning = engine::Tuning::of_environment();
  if (options.training) options.keep = {values.reported};
  if (output == models::Output::kLogits) options.keep.push_back(values.outputs);
  options.recompute = recompute;
  return {std::move(tape), options.training ? values.loss : values.reported, options};
}

}  // namespace

BoundPlan::BoundPlan(const Task& task, engine::Params& params, const models::GptConfig& config,
                     std::int64_t rows, models::Mode mode, models::Output output, bool recompute)
    : rows_(rows), plan_(record(task, params, config, rows, mode, output, recompute, values_)) {}

void BoundPlan::allocate(std::span<std::byte> arena) {
  for (const engine::Ref input : values_.inputs) {
    const auto numbers = static_cast<std::size_t>(plan_.tape().shape(input).numel());
    memory_.emplace_back(numbers * sizeof(std::int32_t));
    std::memset(memory_.back().data(), 0, memory_.back().size());
    inputs_.push_back(memory_.back().data());
    plan_.bind(input, inputs_.back());
  }
  plan_.lend(arena);
}

const void* BoundPlan::targets() const {
  const auto& all = values_.inputs;
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](engine::Ref r) { return r.id == values_.targets.id; });
  return inputs_.at(static_cast<std::size_t>(at - all.begin()));
}

void BoundPlan::repeat_rows(std::int64_t passes) {
  for (const engine::Buffer& input : memory_) {
    const std::size_t bytes = input.size() / static_cast<std::size_t>(rows_);
    for (std::int64_t row = rows_ - 1; row > 0; --row)
      if (row != row / passes)
        std::memcpy(input.data() + static_cast<std::size_t>(row) * bytes,
                    input.data() + static_cast<std::size_t>(row / passes) * bytes, bytes);
  }
}

}  // namespace train
