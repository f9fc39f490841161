// Figures of a study's report: what its rule is about.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report/report.h"
#include "lab/study/study_file.h"

namespace lab {

struct Figure {
  std::string name, unit;
  std::optional<double> value;
  std::optional<Interval> ci;
  std::string missing;    // why there is no value; empty where there is one
  std::string note = {};  // what it does not speak of
};

/// What a figure is asked of.
struct FigureContext {
  const Report& report;
  const CellReport& cell;
  const ArmReport& arm;
  const FigureSpec& spec;
  double alpha;  // its interval covers 1 − alpha
};

/// To add one: a function in figures.cpp and a row.
struct FigureKind {
  std::string_view name, unit, help;
  bool over_cells;  // of all cells, and not of one
  bool other_text;  // speaks of other text, too, where all seeds share a test text
  bool shares;      // of other shares of the budget
  Figure (*make)(const FigureContext&);
};
std::span<const FigureKind> figure_kinds();

/// All figures of a file, their intervals together covering 1 − report.rules.alpha (Bonferroni).
/// Throws engine::Error naming line and column where one asks for what there is not.
std::vector<Figure> make_figures(const StudyFile& file, const Report& report);
/// Throws in all of these cases, before anything is trained.
void check_figures(const StudyFile& file);

}  // namespace lab
