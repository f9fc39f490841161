#include "lab/report/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "lab/report/figures.h"
#include "lab/stats/stats.h"
#include "train/config/budget.h"

namespace lab {
namespace {

constexpr std::optional<Picture> (*kOfACell[])(const Report&, const CellReport&) = {
    forest_picture,  slopes_picture, tuning_picture,     curves_picture,
    compute_picture, front_picture,  reliability_picture};
constexpr std::optional<Picture> (*kOfAll[])(const Report&) = {cells_picture};

std::string ticks_of(double epochs) { return fmt::format("{:g} ×", epochs); }

constexpr double kFarthest = 10;  // times the least distance of two cells: labels need room

/// Where the cells stand: by the logarithm of their epochs where these tell them apart, else one
/// beside the other.
PlotAxis cell_axis(const Report& report) {
  std::vector<std::int64_t> epochs;
  for (const CellReport& cell : report.cells) epochs.push_back(cell.epochs);
  std::sort(epochs.begin(), epochs.end());
  double least = INFINITY, range = 0;  // of the logarithms
  for (std::size_t i = 1; i < epochs.size(); ++i) {
    const double gap = std::log2(epochs[i]) - std::log2(epochs[i - 1]);
    least = std::min(least, gap), range += gap;
  }
  const bool apart = epochs.front() > 0 && least > 0 && range <= kFarthest * least;
  PlotAxis axis;
  if (apart) axis.label = "passes over the unique data";
  for (std::size_t i = 0; i < report.cells.size(); ++i) {
    const CellReport& cell = report.cells[i];
    if (apart)
      axis.ticks.emplace_back(std::log2(cell.epochs), ticks_of(static_cast<double>(cell.epochs)));
    else
      axis.ticks.emplace_back(i, cell.name.empty() || cell.name.find('=') != std::string::npos
                                     ? cell.title
                                     : cell.name);
  }
  return axis;
}

/// The least distance of two places; 1 where there is one.
double spacing(const PlotAxis& axis) {
  double least = axis.ticks.size() < 2 ? 1 : INFINITY;
  for (const auto& a : axis.ticks)
    for (const auto& b : axis.ticks)
      if (&a != &b) least = std::min(least, std::abs(a.first - b.first));
  return least;
}

}  // namespace

std::vector<Picture> cell_pictures(const Report& report, const CellReport& cell) {
  std::vector<Picture> pictures;
  for (const auto& make : kOfACell)
    if (auto picture = make(report, cell)) pictures.push_back(std::move(*picture));
  return pictures;
}

std::vector<Picture> report_pictures(const Report& report) {
  std::vector<Picture> pictures;
  for (const auto& make : kOfAll)
    if (auto picture = make(report)) pictures.push_back(std::move(*picture));
  return pictures;
}

std::optional<Picture> forest_picture(const Report& report, const CellReport& cell) {
  Picture p{"forest", fmt::format("Difference from {}", cell.arms.front().name)};
  p.caption = difference_caption(report) + " Small points: single seeds.";
  p.value.label = "nats per token (negative: better)";
  p.horizontal = true;
  p.shades = {{-cell.margin, cell.margin}};
  p.rule = 0;
  Series seeds{"single seeds", Drawn::kPoints, 0, false, true};
  for (std::size_t arm = 1; arm < cell.arms.size(); ++arm) {
    const ArmReport& mine = cell.arms[arm];
    const auto at = static_cast<double>(arm - 1);
    p.at.ticks.emplace_back(at, mine.name);
    const std::optional<Mark> mark = difference_mark(report, cell, mine, at);
    if (!mark) continue;
    p.series.push_back({mine.name, Drawn::kPoints, static_cast<int>(arm)});
    p.series.back().marks.push_back(*mark);
    for (const PairOfRuns& pair : drawn(pairs(report, cell, mine), p.caption))
      seeds.marks.push_back(
          {at + 0.28, pair.diff(), {}, {}, {fmt::format("{}, seed {}", mine.name, pair.seed)}});
  }
  if (p.series.empty()) return {};
  p.series.push_back(std::move(seeds));
  return p;
}

std::optional<Picture> slopes_picture(const Report& report, const CellReport& cell) {
  constexpr double kApart = 2.5;  // of two pairs; the two ends of one: 1
  const std::string& first = cell.arms.front().name;
  Picture p{"slopes", fmt::format("Seed by seed, from {} to each arm", first)};
  p.caption = fmt::format(
      "Each line is one seed: its {} loss with {}, then with the arm. If the loss goes down, the "
      "arm is better for that seed.",
      report.judged == "test_loss" ? "test" : "validation", first);
  p.value.label = judged_label(report);
  for (std::size_t arm = 1; arm < cell.arms.size(); ++arm) {
    const double at = kApart * static_cast<double>(arm - 1);
    p.at.ticks.emplace_back(at + 0.5, first + " → " + cell.arms[arm].name);
    Series s{cell.arms[arm].name, Drawn::kLine, static_cast<int>(arm)};
    for (const PairOfRuns& pair : drawn(pairs(report, cell, cell.arms[arm]), p.caption)) {
      const std::vector<std::string> note = {
          fmt::format("seed {}: {} → {} ({})", pair.seed, base::decimals(pair.first, 4),
                      base::decimals(pair.arm, 4), base::decimals(pair.diff(), 4, true))};
      s.marks.push_back({at, pair.first, {}, {}, note});
      s.marks.push_back({at + 1, pair.arm, {}, {}, note});
      s.marks.push_back({at + 1, {}});  // the next seed is another line
    }
    if (!s.marks.empty()) p.series.push_back(std::move(s));
  }
  if (p.series.empty()) return {};
  return p;
}

std::optional<Picture> tuning_picture(const Report&, const CellReport& cell) {
  Picture p{"tuning", "Tuning: settings tried and chosen"};
  p.caption =
      "Validation loss of every setting, mean over the tuning seeds. The large point of an arm is "
      "the setting it uses. Settings that diverged or learned nothing have no point.";
  p.value.label = "validation loss (nats per token)";
  p.horizontal = true;
  for (std::size_t arm = 0; arm < cell.arms.size(); ++arm) {
    if (!cell.arms[arm].tuned) continue;
    const Tuned& tuned = *cell.arms[arm].tuned;
    Series tried{cell.arms[arm].name + ", tried", Drawn::kPoints, static_cast<int>(arm), false,
                 true};
    Series chosen{cell.arms[arm].name + ", chosen", Drawn::kPoints, static_cast<int>(arm)};
    // In the order of a single numeric setting, so that the bowl shows.
    std::vector<const Trial*> trials;
    for (const Trial& trial : tuned.trials) trials.push_back(&trial);
    std::stable_sort(trials.begin(), trials.end(), [](const Trial* a, const Trial* b) {
      const auto value = [](const Trial* t) {
        double x = 0;
        return t->set.size() == 1 && base::parse_number(t->set[0].second, x) == std::errc{} ? x : 0;
      };
      return value(a) < value(b);
    });
    for (const Trial* trial : trials) {
      const auto at = static_cast<double>(p.at.ticks.size());
      p.at.ticks.emplace_back(at, to_text(trial->set));
      if (!trial->val_loss) continue;
      const bool mine = trial == &tuned.trials[tuned.chosen];
      (mine ? chosen : tried)
          .marks.push_back({at,
                            trial->val_loss,
                            {},
                            {},
                            {base::counted(static_cast<std::uint64_t>(trial->runs), "run")}});
    }
    for (Series* s : {&tried, &chosen})
      if (!s->marks.empty()) p.series.push_back(std::move(*s));
  }
  if (p.series.empty()) return {};
  return p;
}

std::optional<Picture> cells_picture(const Report& report) {
  if (report.cells.size() < 2) return {};
  Picture p{"cells", fmt::format("Difference from {} in every table",
                                 report.cells.front().arms.front().name)};
  p.caption = difference_caption(report);
  p.at = cell_axis(report);
  p.value.label = "nats per token (negative: better)";
  p.rule = 0;
  const double half = 0.45 * spacing(p.at);
  for (std::size_t i = 0; i < report.cells.size(); ++i) {  // each table is judged by its own margin
    const double at = p.at.ticks[i].first, margin = report.cells[i].margin;
    p.shades.push_back({-margin, margin, std::pair(at - half, at + half)});
  }
  const std::size_t arms = report.cells.front().arms.size();
  const double step = std::min(0.12, 0.6 / static_cast<double>(arms)) * spacing(p.at);
  for (std::size_t arm = 1; arm < arms; ++arm) {
    Series s{report.cells.front().arms[arm].name, Drawn::kPoints, static_cast<int>(arm)};
    const double beside = step * (static_cast<double>(arm) - static_cast<double>(arms) / 2);
    for (std::size_t i = 0; i < report.cells.size(); ++i) {
      const CellReport& cell = report.cells[i];
      auto mark = difference_mark(report, cell, cell.arms[arm], p.at.ticks[i].first + beside);
      if (!mark) continue;
      mark->note.insert(mark->note.begin(), cell.title);
      s.marks.push_back(std::move(*mark));
    }
    if (!s.marks.empty()) p.series.push_back(std::move(s));
  }
  if (p.series.empty()) return {};
  return p;
}

std::string judged_label(const Report& report) {
  return fmt::format("{} loss (nats per token)",
                     report.judged == "test_loss" ? "test" : "validation");
}

std::vector<PairOfRuns> pairs(const Report& report, const CellReport& cell, const ArmReport& arm) {
  const BySeed mine = values(arm, report.judged), theirs = values(cell.arms.front(), report.judged);
  std::vector<PairOfRuns> out;
  for (const auto& [seed, value] : mine)
    if (const auto other = theirs.find(seed); other != theirs.end())
      out.push_back({seed, other->second, value});
  return out;
}

std::optional<Mark> difference_mark(const Report& report, const CellReport& cell,
                                    const ArmReport& arm, double at) {
  std::vector<double> diffs;
  std::vector<std::pair<std::uint64_t, double>> by_seed;
  for (const PairOfRuns& pair : pairs(report, cell, arm)) {
    diffs.push_back(pair.diff());
    by_seed.emplace_back(pair.seed, pair.diff());
  }
  if (diffs.empty()) return {};
  Mark mark{at, mean(diffs)};
  if (arm.versus) {
    const Verdict& v = *arm.versus;
    if (v.ci) mark.lo = v.ci->lo, mark.hi = v.ci->hi;
    std::string verdict(to_string(v.verdict));
    if (v.p_holm) verdict += fmt::format(", p (Holm) {:.2g}", *v.p_holm);
    mark.note.push_back(std::move(verdict));
  }
  for (std::string& line : seed_lines(by_seed)) mark.note.push_back(std::move(line));
  return mark;
}

std::string difference_caption(const Report& report) {
  std::string text = fmt::format(
      "The {} loss of the arm minus that of the first arm, mean over seeds. Shaded: {}, which "
      "counts "
      "as no difference.",
      report.judged == "test_loss" ? "test" : "validation",
      report.own_margin ? fmt::format("within ±{} nats", report.rules.margin)
                        : "within the first arm's standard deviation over seeds");
  if (report.final)
    text +=
        fmt::format(" Bars: {:.6g} % intervals.", 100 * ci_level(report.rules, family_of(report)));
  return text;
}

std::vector<std::string> seed_lines(const std::vector<std::pair<std::uint64_t, double>>& values) {
  constexpr std::size_t kInALine = 4, kMost = 16;
  std::vector<std::string> lines;
  if (values.size() > kMost) return lines;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string text =
        fmt::format("seed {}: {}", values[i].first, base::decimals(values[i].second, 4));
    if (i % kInALine == 0)
      lines.push_back(text);
    else
      lines.back() += " · " + text;
  }
  return lines;
}

}  // namespace lab
