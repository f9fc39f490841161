// The report as CSV: one line a run, what a spreadsheet or R wants.
#include "lab/report/render.h"

namespace lab {

std::string render_csv(const Report& r) {
  std::string out = "cell,epochs,unique_tokens,arm,seed,id,status";
  for (const Metric& m : metrics())
    out.append(1, ',').append(m.name == "epochs" ? "run_epochs" : m.name);
  out += "\n";
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms)
      for (const RunRecord& run : arm.runs) {
        const Json fields = {cell.name,
                             cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr),
                             cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr),
                             arm.name,
                             train::exact(run.seed),
                             run.id,
                             to_string(run.status)};
        std::string line;
        for (const Json& field : fields) line += csv_field(field) + ",";
        for (const Metric& m : metrics())
          line += csv_field(train::or_null(run.value(m.name))) + ",";
        line.back() = '\n';
        out += line;
      }
  return out;
}

}  // namespace lab
