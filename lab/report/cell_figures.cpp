#include "lab/report/cell_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "lab/report/by_seed.h"
#include "lab/report/slope_design.h"
#include "lab/stats/equivalent.h"
#include "lab/stats/regression.h"

namespace lab {
namespace {

/// The cells that the figure is over, and every seed's differences in them.
struct Differences {
  std::vector<Level> cells;
  std::map<std::uint64_t, std::vector<double>> by_seed;  // of seeds that have them in all cells
  std::string missing;                                   // why there are none
};

std::vector<Level> levels_of(const Report& report) {
  std::vector<Level> out;
  for (const CellReport& cell : report.cells) out.push_back({cell.name, cell.set, cell.epochs});
  return out;
}

Differences differences_over_cells(const FigureContext& c) {
  const std::vector<Level> all = levels_of(c.report);
  Differences out;
  for (const std::size_t i : cells_of_figure(c.spec, all)) {
    out.cells.push_back(all[i]);
    const CellReport& cell = c.report.cells[i];
    const ArmReport& first = cell.arms.front();
    for (const ArmReport& arm : cell.arms) {
      if (arm.name != c.arm.name) continue;
      for (const ArmReport* side : {&arm, &first})
        if (out.missing.empty()) out.missing = withheld(*side);
      const BySeed mine = values(arm, metric_of(c)), theirs = values(first, metric_of(c));
      for (const auto& [seed, x] : mine)
        if (const auto other = theirs.find(seed); other != theirs.end())
          out.by_seed[seed].push_back(x - other->second);
    }
  }
  std::size_t whole = 0;
  for (const auto& [seed, diffs] : out.by_seed) whole += diffs.size() == out.cells.size() ? 1 : 0;
  if (out.missing.empty() && (whole < 2 || whole != out.by_seed.size()))
    out.missing = fmt::format("too few seeds have {} in every cell", metric_of(c));
  return out;
}

std::vector<double> flat(const Differences& d) {
  std::vector<double> y;
  for (const auto& [seed, diffs] : d.by_seed) y.insert(y.end(), diffs.begin(), diffs.end());
  return y;
}

}  // namespace

Figure slope(const FigureContext& c) {
  const Differences over = differences_over_cells(c);
  if (!over.missing.empty()) return missing(over.missing);
  const SlopeDesign d = slope_design(c.spec, c.report.base, over.cells);
  const auto samples = ols_by_seed(d.x, d.columns, over.cells.size(), flat(over));
  const auto at = std::find(c.spec.on.begin(), c.spec.on.end(), c.spec.coefficient);
  const std::size_t which = c.spec.coefficient == "interaction"
                                ? d.columns - 1
                                : 1 + static_cast<std::size_t>(at - c.spec.on.begin());
  return of(estimate(samples.at(which)), c.alpha);
}

Figure crossover(const FigureContext& c) {
  const Differences over = differences_over_cells(c);
  if (!over.missing.empty()) return missing(over.missing);
  std::vector<double> x;
  for (const Level& cell : over.cells)
    x.push_back(log_of(c.spec, c.report.base, cell, c.spec.on.front()));
  const auto crossing = first_crossing(x, flat(over), c.alpha);
  if (!crossing) return missing("too few seeds");
  Figure f;
  f.unit = c.spec.on.front();
  if (std::isfinite(crossing->at))
    f.value = std::exp2(crossing->at);
  else
    f.missing = crossing->at > 0 ? "never below" : "below from the first cell on";
  f.ci = Interval{std::exp2(crossing->ci.lo), std::exp2(crossing->ci.hi)};
  return f;
}

void check_cells(const FigureSpec& spec, const FigureKind& kind, const Study& study) {
  std::vector<Level> cells;
  for (const std::size_t i : cells_of_figure(spec, study.cells)) cells.push_back(study.cells[i]);
  const auto fail = [&](const std::string& why) {
    throw base::Error(fmt::format("{}: figure {}: {}", spec.source, base::quote(spec.name), why));
  };
  if ((kind.over & kAscending) != 0) {
    std::vector<double> x;
    for (const Level& cell : cells) x.push_back(log_of(spec, study.base, cell, spec.on.front()));
    if (x.size() < 2 || std::adjacent_find(x.begin(), x.end(), std::greater_equal<>()) != x.end())
      fail(
          fmt::format("{} does not ascend from cell to cell; name those of one line in cells = […]",
                      spec.on.front()));
    return;
  }
  const SlopeDesign d = slope_design(spec, study.base, cells);
  try {
    ols_by_seed(d.x, d.columns, cells.size(), std::vector<double>(2 * cells.size(), 0.0));
  } catch (const base::Error&) {
    fail(fmt::format("the {} cells do not tell the slopes apart; give more values of {}",
                     cells.size(),
                     base::join(std::vector<std::string_view>(spec.on.begin(), spec.on.end()))));
  }
}

}  // namespace lab
