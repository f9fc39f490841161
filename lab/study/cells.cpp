#include "lab/study/cells.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "lab/study/arm.h"
#include "train/tasks/task.h"

namespace lab {
namespace {

std::vector<Level> levels_of(const Axis& axis, train::Budget::Kind kind) {
  require_of_cells(axis.setting, axis.source);
  std::vector<Level> levels;
  for (const std::string& value : axis.values) {
    levels.push_back(level_of(axis.setting, value, axis.source));
    base::require(std::count_if(levels.begin(), levels.end(),
                                [&](const Level& l) { return l.set == levels.back().set; }) == 1,
                  axis.source, ": ", base::quote(value), " is given twice; give it once");
  }
  for (const Level& level : levels)
    base::require(
        axis.setting != "budget" || train::Budget::parse(level.set[0].second).kind == kind,
        axis.source, ": ", base::quote(level.set[0].second),
        " is another kind of budget than --budget; give both in one");
  base::require(!levels.empty(), axis.source, ": no value; give some, as in n_embd=64,128");
  return levels;
}

}  // namespace

std::vector<Level> cells_of(const train::Settings& base, const Level& first_arm,
                            std::vector<Level> cells, const std::vector<Axis>& axes,
                            const std::vector<std::int64_t>& epochs) {
  for (const Axis& axis : axes)
    cells = product(cells, levels_of(axis, train::Budget::parse(base.budget).kind));
  if (epochs.empty()) return cells;
  return epoch_cells(with(base, first_arm), cells, epochs,
                     [task = std::shared_ptr<train::Task>()](const train::Settings& s) mutable {
                       if (!task) task = train::load_task(s);
                       return models::flops_per_token(task->model(s));
                     });
}

}  // namespace lab
