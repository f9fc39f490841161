#include "train/tasks/task.h"

#include "base/text.h"
#include "train/tasks/in_context_regression.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/table.h"

namespace train {
namespace {

constexpr TaskKind kTasks[] = {
    {"lm", "language modelling: predict the next token of a text", load_language_modelling},
    {"in_context", "regression in context: predict y of a linear function from the pairs before it",
     load_in_context_regression, DataFrom::kGenerator, TargetKind::kNormal},
    {"regression", "predict a column of numbers of a table from the others", load_table_regression,
     DataFrom::kTable, TargetKind::kNormal},
    {"classification", "predict a column of classes of a table from the others",
     load_table_classification, DataFrom::kTable},
};

}  // namespace

std::span<const TaskKind> task_kinds() { return kTasks; }

std::unique_ptr<Task> load_task(const Settings& settings) {
  return base::row_named(task_kinds(), settings.task, "task").load(settings);
}

Recorded Task::record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                      models::Mode mode, models::Output output) const {
  const models::Gpt gpt = models::record_gpt(tape, config, rows, config.block_size, mode, output);
  return {{gpt.input(), gpt.targets}, gpt.cross_entropy, gpt.loss, gpt.logits, gpt.targets};
}

}  // namespace train
