// The table of tasks, as settings, flags and help see it. The rows are in train/tasks/task.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace train {

class Task;
struct Settings;

/// What a model says of a target. kClasses: logits of V classes, the target an i32, below 0 where
/// it does not count. kNormal: a mean and what softplus makes a standard deviation of (see
/// ops::gaussian_nll), the target an f32, NaN where it does not count.
enum class ForecastKind : std::uint8_t { kClasses, kNormal };

/// Where a task's data come from, which says what settings it has: a text or the built-in corpus,
/// a generator of its own, a table.
enum class From : std::uint8_t { kText, kGenerator, kTable };

struct TaskKind {
  std::string_view name, help;
  std::unique_ptr<Task> (*load)(const Settings&);
  From from = From::kText;
  ForecastKind forecast = ForecastKind::kClasses;
};
std::span<const TaskKind> task_kinds();

}  // namespace train
