// The report as CSV: one line a run, what a spreadsheet or R wants.
#include <fmt/format.h>

#include "base/parallel.h"
#include "lab/report/render.h"

namespace lab {
namespace {

/// Every metric of the table, one after the other.
std::string metric_fields(const RunRecord& run) {
  Json values = Json::array();
  for (const Metric& m : metrics()) values.push_back(base::or_null(run.value(m)));
  std::string text = base::json_compact(values),
              fields;  // all at once: of numbers JSON and CSV are the same
  for (std::size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] != 'n')
      fields += text[i];
    else
      i += 3;  // null
  return fields;
}

}  // namespace

std::string render_csv(const Report& r) {
  std::string out = "cell,epochs,unique_tokens,arm,seed,id,status";
  for (const Metric& m : metrics())
    out.append(1, ',').append(m.name == "epochs" ? "run_epochs" : m.name);
  out += "\n";
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms) {
      std::string front;
      for (const Json& field :
           {Json(cell.name), cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr),
            cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr), Json(arm.name)})
        front += base::csv_field(field) + ",";
      std::vector<std::string> lines(arm.runs.size());
      base::for_each_at_once(arm.runs.size(), [&](std::size_t i) {
        const RunRecord& run = *arm.runs[i];
        lines[i] = fmt::format("{}{},{},{},{}\n", front, run.seed, run.id, to_string(run.status),
                               metric_fields(run));
      });
      for (const std::string& line : lines) out += line;
    }
  return out;
}

}  // namespace lab
