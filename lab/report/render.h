// The pieces that the formats share.
#pragma once
#include <string>
#include <vector>

#include "base/text_table.h"
#include "lab/report/report.h"

namespace lab {

/// What stands above the tables, and below them.
std::vector<std::string> report_header(const Report& report);
std::vector<std::string> report_footnotes(const Report& report);
/// The table of a cell; with `width` no wider than that: what says least is left out. `bars`: the
/// intervals drawn, too.
base::Lines cell_table(const Report& report, const CellReport& cell, std::size_t width = 0,
                       bool bars = false);
/// What a terminal shows of it at first: at most six columns. With `width` no wider than that.
base::Lines brief_table(const Report& report, const CellReport& cell, std::size_t width);
/// What a table has no room for, a line each: why not told, tuning, shares, lost runs.
std::vector<std::string> cell_notes(const Report& report, const CellReport& cell);
std::string render_csv(const Report& report);

/// "├──●──┤" with 0 and, as dots, the margin: `width` characters for [-reach, reach].
std::string interval_bar(double low, double at, double high, double margin, double reach,
                         std::size_t width);

}  // namespace lab
