// What the text, Markdown and HTML of a report have in common.
#pragma once
#include <string>
#include <vector>

#include "lab/report/report.h"
#include "lab/report/table.h"

namespace lab {

/// Budget, data, machines, builds; a line each.
std::vector<std::string> report_header(const Report& report);
/// A row for every arm.
Lines cell_table(const Report& report, const CellReport& cell);
/// What the columns and verdicts mean; a line each.
std::vector<std::string> report_footnotes(const Report& report);

}  // namespace lab
