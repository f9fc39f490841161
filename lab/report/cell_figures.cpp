#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "lab/report/figures.h"
#include "lab/stats/regression.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

/// Whether a cell is called that, or has all of those settings.
bool is_of(const std::string& cell, const std::string& name) {
  const std::string parts = "," + cell + ",";
  for (std::size_t from = 0; cell != name && from <= name.size();) {
    const std::size_t to = std::min(name.find(',', from), name.size());
    if (parts.find("," + name.substr(from, to - from) + ",") == parts.npos) return false;
    from = to + 1;
  }
  return true;
}

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

std::vector<std::size_t> cells_of_figure(const FigureSpec& spec, const std::vector<Level>& cells) {
  std::vector<std::size_t> out;
  std::vector<bool> used(spec.cells.size(), false);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    bool wanted = spec.cells.empty();
    for (std::size_t name = 0; name < spec.cells.size(); ++name)
      if (is_of(cells[i].name, spec.cells[name])) wanted = used[name] = true;
    if (wanted) out.push_back(i);
  }
  for (std::size_t name = 0; name < used.size(); ++name) {
    std::string there;
    for (const Level& cell : cells) there += (there.empty() ? "" : "; ") + cell.name;
    base::require(used[name], spec.source, ": figure ", base::quote(spec.name), ": no cell is ",
                  base::quote(spec.cells[name]), "; there are: ", there);
  }
  return out;
}

double log_of(const FigureSpec& spec, const train::Settings& base, const Level& cell,
              const std::string& setting) {
  double value = static_cast<double>(cell.epochs);
  std::string text = std::to_string(cell.epochs);
  if (setting != "epochs") {
    text = train::value_text(with(base, cell), *train::find_setting(setting));
    if (base::parse_number(text, value) != std::errc{}) value = 0;
  }
  base::require(value > 0, spec.source, ": figure ", base::quote(spec.name), ": ", setting, " is ",
                text, cell.name.empty() ? "" : " in " + cell.name,
                ": a slope needs numbers above 0");
  return std::log2(value);
}

SlopeDesign slope_design(const FigureSpec& spec, const train::Settings& base,
                         const std::vector<Level>& cells) {
  const std::size_t settings = spec.on.size();
  SlopeDesign d{{}, 1 + settings + (settings == 2 ? 1U : 0U)};
  std::vector<std::vector<double>> logs(settings);
  for (std::size_t i = 0; i < settings; ++i) {
    for (const Level& cell : cells) logs[i].push_back(log_of(spec, base, cell, spec.on[i]));
    const double middle = *mean(logs[i]);
    for (double& v : logs[i]) v -= middle;
  }
  for (std::size_t row = 0; row < cells.size(); ++row) {
    d.x.push_back(1);
    for (std::size_t i = 0; i < settings; ++i) d.x.push_back(logs[i][row]);
    if (settings == 2) d.x.push_back(logs[0][row] * logs[1][row]);
  }
  return d;
}

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
