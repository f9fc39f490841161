#include "lab/report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/suggest.h"
#include "lab/report/pairs.h"
#include "lab/stats/crossing.h"
#include "lab/stats/regression.h"
#include "lab/stats/variances.h"

namespace lab {
namespace {

Figure missing(std::string why) { return {"", "", {}, {}, std::move(why)}; }

Figure of(const Estimate& e, double alpha) { return {"", "", e.mean, t_interval(e, alpha), ""}; }

/// Why no figure may be taken from an arm: what is left would be a selection.
std::string withheld(const ArmReport& arm) {
  if (!arm.missing.empty()) return "runs are missing";
  if (arm.diverged + arm.failed + arm.untrained > 0)
    return fmt::format("{} run{} of {} lost", arm.diverged + arm.failed + arm.untrained,
                       arm.diverged + arm.failed + arm.untrained == 1 ? "" : "s", arm.name);
  return "";
}

Figure difference(const FigureContext& c) {
  if (!c.arm.versus || !c.arm.versus->estimate) return missing("too few seeds, or runs were lost");
  return of(*c.arm.versus->estimate, c.alpha);
}

/// How many times the compute of the first arm it takes to be as good as that at the whole budget.
Figure compute_ratio(const FigureContext& c) {
  const std::vector<ShareLosses>& shares = c.cell.shares;
  if (shares.size() < 2) return missing("the study has no other shares of the budget");
  std::vector<double> sizes, first, arm;
  for (const ShareLosses& at : shares) sizes.push_back(at.share);
  for (const RunRecord& run : c.arm.runs) {
    const auto loss = run.ok() ? run.value(c.report.judged) : std::nullopt;
    if (!loss) continue;
    for (const ShareLosses& at : shares) {
      const auto it = at.losses.find(run.seed);
      if (it == at.losses.end()) return missing("runs of the first arm were lost");
      first.push_back(it->second);
    }
    arm.push_back(*loss);
  }
  const auto ci = equivalent_interval({sizes, first, arm}, c.alpha);
  std::vector<BudgetLoss> curve;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    double sum = 0;
    for (std::size_t s = 0; s < arm.size(); ++s) sum += first[s * sizes.size() + i];
    curve.push_back({sizes[i], sum / static_cast<double>(arm.size())});
  }
  const auto equal = arm.empty() ? std::nullopt : compute_equivalent(curve, *mean(arm));
  if (!ci || !equal) return missing("too few seeds");
  using Relation = ComputeEquivalent::Relation;
  const auto flops = [](const ArmReport& of) { return of.metrics.find("flops")->second.mean; };
  const auto mine = flops(c.arm), theirs = flops(c.cell.arms.front());
  const double scale = mine && theirs && *theirs > 0 ? *mine / *theirs : 1;
  // Worth the share e of the first arm's compute: 1/e times of it. Beyond the curve, no bound.
  Figure f;
  if (equal->relation == Relation::kEqual)
    f.value = scale / equal->share;
  else
    f.missing = "beyond the shares that were trained";
  const auto bound = [&](const ComputeEquivalent& e, Relation beyond, double end, double none) {
    return e.relation == Relation::kEqual ? scale / e.share
           : e.relation == beyond         ? scale / end
                                          : none;
  };
  f.ci = Interval{bound(ci->hi, Relation::kBelow, sizes.front(), 0),
                  bound(ci->lo, Relation::kAbove, sizes.back(), INFINITY)};
  return f;
}

Figure trend(const FigureContext& c) {
  if (!c.arm.trend)
    return missing("every arm at other shares of the budget is needed: shares = […]");
  return of(*c.arm.trend, c.alpha);
}

/// Standard deviation over seeds against the first arm's.
Figure spread_ratio(const FigureContext& c) {
  const std::string& metric = c.spec.metric.empty() ? c.report.judged : c.spec.metric;
  std::vector<double> mine, theirs;
  for (const RunRecord& a : c.arm.runs)
    for (const RunRecord& b : c.cell.arms.front().runs) {
      if (a.seed != b.seed) continue;
      const auto x = a.value(metric), y = b.value(metric);
      if (!x || !y) return missing(fmt::format("{} is not known of these runs", metric));
      mine.push_back(*x);
      theirs.push_back(*y);
    }
  const auto ratio = pitman_morgan(mine, theirs, c.alpha);
  if (!ratio) return missing("too few seeds");
  return {"", "", std::sqrt(ratio->ratio),
          Interval{std::sqrt(ratio->ci.lo), std::sqrt(ratio->ci.hi)}, ""};
}

/// log₂ of a setting in a cell.
double log_of(const FigureSpec& spec, const train::Settings& base, const Level& cell,
              const std::string& setting) {
  double value = static_cast<double>(cell.epochs);
  std::string text = std::to_string(cell.epochs);
  if (setting != "epochs") {
    text = train::value_text(with(base, cell), *train::find_setting(setting));
    if (train::parse_number(text, value) != std::errc{}) value = 0;
  }
  engine::require(value > 0, spec.source, ": figure ", engine::quote(spec.name), ": ", setting,
                  " is ", text, cell.name.empty() ? "" : " in " + cell.name,
                  ": a slope needs numbers above 0");
  return std::log2(value);
}

/// A constant, log₂ of the settings in `on` from their means on, and of two of them the product;
/// row-major (cells, columns).
struct Design {
  std::vector<double> x;
  std::size_t columns = 0;
};
Design design(const FigureSpec& spec, const train::Settings& base,
              const std::vector<Level>& cells) {
  const std::size_t settings = spec.on.size();
  Design d{{}, 1 + settings + (settings == 2 ? 1U : 0U)};
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

/// Of the difference on log₂ of settings over the cells, seed by seed.
Figure slope(const FigureContext& c) {
  const std::vector<CellReport>& cells = c.report.cells;
  std::vector<Level> levels;
  for (const CellReport& cell : cells) levels.push_back({cell.name, cell.set, cell.epochs});
  const Design d = design(c.spec, c.report.base, levels);
  std::map<std::uint64_t, std::vector<double>> by_seed;
  for (const CellReport& cell : cells)
    for (const ArmReport& arm : cell.arms) {
      if (arm.name != c.arm.name) continue;
      for (const ArmReport* side : {&arm, &cell.arms.front()})
        if (const std::string why = withheld(*side); !why.empty()) return missing(why);
      for (const PairOfRuns& pair : pairs(c.report, cell, arm))
        by_seed[pair.seed].push_back(pair.diff());
    }
  std::vector<double> y;
  for (const auto& [seed, diffs] : by_seed) y.insert(y.end(), diffs.begin(), diffs.end());
  if (by_seed.size() < 2) return missing("too few seeds");
  const auto samples = ols_by_seed(d.x, d.columns, cells.size(), y);
  const auto at = std::find(c.spec.on.begin(), c.spec.on.end(), c.spec.coefficient);
  const std::size_t which = c.spec.coefficient == "interaction"
                                ? d.columns - 1
                                : 1 + static_cast<std::size_t>(at - c.spec.on.begin());
  return of(estimate(samples.at(which)), c.alpha);
}

Figure step_time(const FigureContext& c) {
  if (!c.arm.speed) return missing("step times were not measured");
  return {"", "", c.arm.speed->step_time_ratio,
          Interval{c.arm.speed->ratio_low, c.arm.speed->ratio_high}, ""};
}

constexpr FigureKind kKinds[] = {
    {"difference", "nats per token",
     "loss of the arm less that of the first one in a cell, test split", false, true, false,
     difference},
    {"compute_ratio", "×",
     "compute of the first arm that is as good as the arm at the whole budget, inverted: how many "
     "times as much the arm needs (with other shares of the budget)",
     false, false, true, compute_ratio},
    {"trend", "nats per doubling", "slope of the difference over the shares of the budget", false,
     false, true, trend},
    {"spread_ratio", "×",
     "standard deviation over seeds against the first arm's, of what is judged or of 'metric'; "
     "Pitman-Morgan on paired seeds",
     false, false, false, spread_ratio},
    {"slope", "nats per doubling",
     "of the difference on log2 of the settings in 'on' over all cells, seed by seed; "
     "'coefficient' is one of them, or with two 'interaction'",
     true, false, false, slope},
    {"step_time", "×", "step time against the first arm's, with quartiles", false, true, false,
     step_time},
};

const FigureKind& kind_of(const FigureSpec& spec) {
  std::vector<std::string_view> names;
  for (const FigureKind& kind : kKinds) {
    if (kind.name == spec.of) return kind;
    names.push_back(kind.name);
  }
  throw engine::Error(fmt::format("{}: no figure is called {}; {}", spec.source,
                                  engine::quote(spec.of), engine::suggest(spec.of, names)));
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
  throw engine::Error(fmt::format("{}: figure {}: {}; there are: {}", spec.source,
                                  engine::quote(spec.name),
                                  name.empty() ? fmt::format("of which {}?", what)
                                               : fmt::format("no {} {}", what, engine::quote(name)),
                                  fmt::join(names, ", ")));
}

struct Place {
  std::size_t cell = 0, arm = 1;
};

Place place_of(const StudyFile& file, const FigureSpec& spec) {
  const FigureKind& kind = kind_of(spec);
  Place at;
  at.arm = index_of(file.study.arms, spec.arm, 1, spec, "arm");
  if (!kind.over_cells) at.cell = index_of(file.study.cells, spec.cell, 0, spec, "cell");
  if (!kind.over_cells) return at;
  engine::require(spec.on.size() == 1 || spec.on.size() == 2, spec.source, ": figure ",
                  engine::quote(spec.name), ": on = one or two settings");
  for (const std::string& setting : spec.on)
    engine::require(setting == "epochs" || train::find_setting(setting) != nullptr, spec.source,
                    ": figure ", engine::quote(spec.name), ": no setting ", engine::quote(setting));
  const bool known = std::find(spec.on.begin(), spec.on.end(), spec.coefficient) != spec.on.end();
  engine::require(known || (spec.coefficient == "interaction" && spec.on.size() == 2), spec.source,
                  ": figure ", engine::quote(spec.name), ": coefficient ",
                  engine::quote(spec.coefficient), " is none of on");
  return at;
}

}  // namespace

std::span<const FigureKind> figure_kinds() { return kKinds; }

void check_figures(const StudyFile& file) {
  for (const FigureSpec& spec : file.figures) {
    place_of(file, spec);
    const FigureKind& kind = kind_of(spec);
    engine::require(!kind.shares || file.study.shares.size() > 1, spec.source, ": figure ",
                    engine::quote(spec.name),
                    ": other shares of the budget are needed, shares = […]",
                    kind.make == trend ? "" : " or equivalent = true");
    engine::require(kind.make != trend || file.study.all_at_shares, spec.source, ": figure ",
                    engine::quote(spec.name),
                    ": every arm at other shares is needed, shares = […]");
    engine::require(spec.metric.empty() || kind.make == spread_ratio, spec.source, ": figure ",
                    engine::quote(spec.name), ": metric is of a spread_ratio");
    if (!spec.metric.empty()) {
      std::vector<std::string_view> names;
      for (const Metric& m : metrics()) names.push_back(m.name);
      if (std::find(names.begin(), names.end(), spec.metric) == names.end())
        throw engine::Error(fmt::format("{}: no metric {}; {}", spec.source,
                                        engine::quote(spec.metric),
                                        engine::suggest(spec.metric, names)));
    }
    if (!kind.over_cells) continue;
    const Design d = design(spec, file.study.base, file.study.cells);
    try {
      ols_by_seed(d.x, d.columns, file.study.cells.size(),
                  std::vector<double>(2 * file.study.cells.size(), 0.0));
    } catch (const engine::Error&) {
      throw engine::Error(
          fmt::format("{}: figure {}: the {} cells do not tell the slopes apart; "
                      "give more values of {}",
                      spec.source, engine::quote(spec.name), file.study.cells.size(),
                      engine::join(std::vector<std::string_view>(spec.on.begin(), spec.on.end()))));
    }
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
    std::string why = withheld(arm);
    if (why.empty()) why = withheld(cell.arms.front());
    Figure f = why.empty() ? kind.make({report, cell, arm, spec, alpha}) : missing(why);
    f.name = spec.name;
    f.unit = kind.unit;
    if (f.ci && !kind.other_text && !report.own_exams) f.note = "of this test text alone";
    out.push_back(std::move(f));
  }
  return out;
}

}  // namespace lab
