#include "lab/report/figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "lab/runs/measures.h"
#include "lab/runs/metrics.h"

namespace lab {
namespace {

const FigureKind& kind_of(const FigureSpec& spec) {
  std::vector<std::string_view> names;
  for (const FigureKind& kind : figure_kinds()) {
    if (kind.name == spec.of) return kind;
    names.push_back(kind.name);
  }
  throw base::Error(fmt::format("{}: no figure is called {}; {}", spec.source, base::quote(spec.of),
                                base::suggest(spec.of, names)));
}

/// The one of that name; for no name the only one after `skip` of them.
std::size_t index_of(const std::vector<Level>& levels, const std::string& name, std::size_t skip,
                     const FigureSpec& spec, std::string_view what) {
  std::vector<std::string_view> names;
  for (std::size_t i = skip; i < levels.size(); ++i) {
    if (levels[i].name == name) return i;
    names.push_back(levels[i].name);
  }
  if (name.empty() && names.size() == 1) return skip;
  throw base::Error(fmt::format("{}: figure {}: {}; there are: {}", spec.source,
                                base::quote(spec.name),
                                name.empty() ? fmt::format("of which {}?", what)
                                             : fmt::format("no {} {}", what, base::quote(name)),
                                fmt::join(names, ", ")));
}

/// "nats/token per doubling"
std::string unit_text(const std::string& metric, std::string_view kind) {
  std::string unit(unit_of(metric));
  if (!kind.empty()) unit += (unit.empty() ? "" : " ") + std::string(kind);
  return unit;
}

struct Place {
  std::size_t cell = 0, arm = 1, against = 0, against_cell = 0;
  std::optional<std::size_t> by = {};
};

/// Throws base::Error where a key is given that the kind does not take.
void check_keys(const FigureSpec& spec, const FigureKind& kind) {
  struct Key {
    const char* name;
    const std::string& value;
    unsigned needs;
  };
  for (const Key& key :
       {Key{"metric", spec.metric, kMetric}, Key{"against", spec.against, kAgainst},
        Key{"against_metric", spec.against_metric, kAgainst},
        Key{"against_cell", spec.against_cell, kElsewhere}, Key{"by", spec.by, kBy}})
    base::require(key.value.empty() || (kind.takes & key.needs) != 0, spec.source, ": figure ",
                  base::quote(spec.name), ": ", key.name, " is not of a ", kind.name);
  base::require(spec.cells.empty() || (kind.over & kCells) != 0, spec.source, ": figure ",
                base::quote(spec.name), ": cells is not of a ", kind.name, "; give cell = …");
  base::require(spec.by.empty() == ((kind.takes & kBy) == 0), spec.source, ": figure ",
                base::quote(spec.name), ": by = an arm is needed");
}

Place place_of(const StudyFile& file, const FigureSpec& spec) {
  const FigureKind& kind = kind_of(spec);
  check_keys(spec, kind);
  const std::vector<Level>& arms = file.study.arms;
  Place at;
  const bool any = kind.name == "value" || (!spec.against.empty() && !spec.arm.empty());
  const std::size_t skip = any ? 0 : 1;
  at.arm = index_of(arms, spec.arm, skip, spec, "arm");
  if (!spec.against.empty()) at.against = index_of(arms, spec.against, 0, spec, "arm");
  if (!spec.by.empty()) at.by = index_of(arms, spec.by, 0, spec, "arm");
  base::require(!at.by || (*at.by != at.arm && *at.by != at.against), spec.source, ": figure ",
                base::quote(spec.name), ": by = ", spec.by,
                " is the arm itself, or what it is compared with; give another arm");
  const bool elsewhere = !spec.against_cell.empty() && spec.against_cell != spec.cell;
  base::require(
      at.arm != at.against || kind.name == "value" || !spec.against_metric.empty() || elsewhere,
      spec.source, ": figure ", base::quote(spec.name), ": ", spec.arm,
      " against itself is 0; give another arm");
  if ((kind.over & kRates) != 0) return at;
  if ((kind.over & kCells) == 0) {
    at.cell = at.against_cell = index_of(file.study.cells, spec.cell, 0, spec, "cell");
    if (elsewhere) at.against_cell = index_of(file.study.cells, spec.against_cell, 0, spec, "cell");
    return at;
  }
  const bool line = (kind.over & kAscending) != 0;
  base::require(spec.on.size() == 1 || (spec.on.size() == 2 && !line), spec.source, ": figure ",
                base::quote(spec.name), ": on = one ", line ? "setting" : "or two settings");
  for (const std::string& setting : spec.on)
    base::require(setting == "epochs" || train::find_setting(setting) != nullptr, spec.source,
                  ": figure ", base::quote(spec.name), ": no setting ", base::quote(setting));
  const bool known = std::find(spec.on.begin(), spec.on.end(), spec.coefficient) != spec.on.end();
  base::require(line ? spec.coefficient.empty()
                     : known || (spec.coefficient == "interaction" && spec.on.size() == 2),
                spec.source, ": figure ", base::quote(spec.name), ": coefficient ",
                base::quote(spec.coefficient),
                line ? " is of a slope; leave it out" : " is none of on");
  return at;
}

}  // namespace

void check_figures(const StudyFile& file) {
  for (const FigureSpec& spec : file.figures) {
    const Place at = place_of(file, spec);
    const FigureKind& kind = kind_of(spec);
    const auto need = [&](bool ok, const auto&... why) {
      base::require(ok, spec.source, ": figure ", base::quote(spec.name), ": ", why...);
    };
    need((kind.over & kShares) == 0 || file.study.shares.size() > 1,
         "other shares of the budget are needed, shares = […]",
         (kind.over & kEveryArm) != 0 ? "" : " or equivalent = true");
    need((kind.over & kEveryArm) == 0 || file.study.all_at_shares,
         "every arm at other shares is needed, shares = […]");
    const auto has = [&](const std::string& metric, std::size_t arm, std::size_t where) {
      const bool all = (kind.over & kCells) != 0;
      for (std::size_t cell = all ? 0 : where;
           !metric.empty() && cell < (all ? file.study.cells.size() : where + 1); ++cell) {
        const std::string why =
            why_no_metric(metric, settings_at(file.study, {cell, arm, 0, file.study.base.seed}));
        need(why.empty(), why);
      }
    };
    has(spec.metric, at.arm, at.cell);
    if (kind.name != "value")
      has(spec.against_metric.empty() ? spec.metric : spec.against_metric, at.against,
          at.against_cell);
    if (at.by) has(spec.metric, *at.by, at.cell);
    const auto task = [&](std::size_t cell) {
      return with(file.study.base, file.study.cells[cell]).task;
    };
    need(task(at.cell) == task(at.against_cell), spec.against_cell, " is of another task than ",
         spec.cell);
    if ((kind.over & kRates) != 0) check_rates(spec, file.study, kind.make == best_rate_slope);
    if ((kind.over & kCells) != 0) check_cells(spec, kind, file.study);
  }
}

std::vector<Figure> make_figures(const StudyFile& file, const Report& report) {
  const double alpha = (1 - ci_level(report.rules)) / static_cast<double>(file.figures.size());
  std::vector<Figure> out;
  for (const FigureSpec& spec : file.figures) {
    const FigureKind& kind = kind_of(spec);
    const Place at = place_of(file, spec);
    const CellReport& cell = report.cells.at(at.cell);
    const ArmReport& arm = cell.arms.at(at.arm);
    const ArmReport& against = report.cells.at(at.against_cell).arms.at(at.against);
    const ArmReport* by = at.by ? &cell.arms.at(*at.by) : nullptr;
    const bool lost_count = (kind.over & kRates) != 0;
    std::string why = lost_count ? "" : withheld(arm);
    if (!lost_count && why.empty() && kind.name != "value") why = withheld(against);
    if (why.empty() && by != nullptr) why = withheld(*by);
    Figure f = why.empty() ? kind.make({report, cell, arm, against, by, spec, alpha})
                           : Figure{"", "", {}, {}, why};
    f.name = spec.name;
    if (f.unit.empty())
      f.unit = !kind.unit.empty() && kind.unit != "per doubling"
                   ? std::string(kind.unit)
                   : unit_text(spec.metric.empty() ? report.judged : spec.metric, kind.unit);
    if (f.ci && !f.other_text && !report.own_exams && !spec.metric.starts_with(kProbePrefix))
      f.note = "for this test text only";
    out.push_back(std::move(f));
  }
  return out;
}

}  // namespace lab
