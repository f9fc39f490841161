#include "train/tasks/task.h"

#include "base/table.h"
#include "train/tasks/in_context_regression.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/table.h"

namespace train {
namespace {

constexpr TaskKind kTasks[] = {
    {"lm", "language modelling: predict the next token of a text", load_language_modelling},
    {"in_context", "regression in context: predict y of a linear function from the pairs before it",
     load_in_context_regression, From::kGenerator, ForecastKind::kNormal},
    {"regression", "predict a column of numbers of a table from the others", load_table_regression,
     From::kTable, ForecastKind::kNormal},
    {"classification", "predict a column of classes of a table from the others",
     load_table_classification, From::kTable},
};

}  // namespace

std::span<const TaskKind> task_kinds() { return kTasks; }

std::unique_ptr<Task> load_task(const Settings& settings) {
  return base::row_named(task_kinds(), settings.task, "task").load(settings);
}

}  // namespace train
