// The kinds of figures there are.
//
// To add one: a function in figure_kinds.cpp and a row.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "lab/report/figures.h"

namespace lab {

/// What a figure is asked of.
struct FigureContext {
  const Report& report;
  const CellReport& cell;
  const ArmReport& arm;
  const ArmReport& against;  // the first arm, where the figure names no other
  const ArmReport* by;       // where the figure names one
  const FigureSpec& spec;
  double alpha;  // its interval covers 1 − alpha
};

// What a kind is over: a cell at the whole budget, or else.
inline constexpr unsigned kCells = 1, kShares = 2, kEveryArm = 4;  // kEveryArm: at every share
inline constexpr unsigned kAscending = 16;  // cells that ascend in one setting, with kCells
inline constexpr unsigned kRates = 8;  // cells that differ in the learning rate, lost runs included
// What of FigureSpec it takes beside the arm and the cell. kAgainst: and the metric there.
// kElsewhere: and another cell.
inline constexpr unsigned kMetric = 1, kAgainst = 2, kBy = 4, kElsewhere = 8;

struct FigureKind {
  std::string_view name, unit, help;  // no unit: that of the metric
  unsigned over, takes;
  Figure (*make)(const FigureContext&);
};
std::span<const FigureKind> figure_kinds();

/// Why no figure may be taken from an arm: what is left would be a selection. Empty: it may.
std::string withheld(const ArmReport& arm);

}  // namespace lab
