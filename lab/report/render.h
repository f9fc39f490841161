// The pieces that the formats share, and a dry run as text and as JSON.
#pragma once
#include <string>
#include <vector>

#include "base/text_table.h"
#include "lab/report/report.h"
#include "lab/study/dry_run.h"

namespace lab {

/// What stands above the tables, and below them: `heads` are the columns that are explained.
std::vector<std::string> report_header(const Report& report);
std::vector<std::string> report_footnotes(const Report& report,
                                          const std::vector<std::string>& heads);

/// What a table may take. width: of a terminal in characters, 0: any; what says least is left out.
/// bars: the intervals are drawn, too. brief: six columns at most, the interval always among them.
struct TableSize {
  std::size_t width = 0;
  bool bars = false, brief = false;
};
base::Lines cell_table(const Report& report, const CellReport& cell, const TableSize& size = {});
/// What each of these columns is, a line each.
std::vector<std::string> column_notes(const Report& report, const std::vector<std::string>& heads);
/// The heading of a column where there is room: "training loss" of "train".
std::string spelled_out(const std::string& head);

/// What a table has no room for, a line each. vital: a reader who does not know it may be misled.
struct CellNote {
  std::string text;
  bool vital = false;  // nobody should miss it
  bool grave = false;  // the comparison is not what it seems
};
std::vector<CellNote> cell_notes(const Report& report, const CellReport& cell);
std::string render_csv(const Report& report);

// How the formats write numbers; "–" for what is not known.
std::string loss_text(const std::optional<double>& x, bool sign = false);  // "+0.0123"
std::string p_text(const std::optional<double>& p);                        // "<0.0001"
std::string worth_text(const ArmReport& arm);                              // "0.54 [0.49, 0.60]"
std::string budget_words(const std::string& budget);                       // "500 steps"
std::string flop_text(double flops);                                       // "1.26 TFLOP"
/// The largest that an arm of the cell has.
const std::string& most_budget(const CellReport& cell);
/// Whether arms differ in their budgets only because tuning chose to stop some of them earlier.
bool only_tuning_stops(const Report& report);
/// REQUIRES: there is such a metric.
const Spread& spread(const ArmReport& arm, std::string_view metric);

/// "├──●──┤" with 0 and, as dots, the margin: `width` characters for [-reach, reach].
std::string interval_bar(double low, double at, double high, double margin, double reach,
                         std::size_t width);

std::string render_text(const DryRun& plan);
Json to_json(const DryRun& plan);

}  // namespace lab
