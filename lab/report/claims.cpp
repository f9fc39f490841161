#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "base/text.h"
#include "lab/report/pages.h"
#include "lab/report/pictures.h"
#include "lab/runs/metrics.h"
#include "train/config/budget.h"

namespace lab {
namespace {

/// What the rule asks of a figure: "supports above 1", "contradicts below 1".
std::vector<std::string> asked_of(const StudyFile& file, const std::string& figure) {
  std::vector<std::string> out;
  const auto of = [&](const std::vector<Condition>& conditions, const char* what) {
    for (const Condition& c : conditions)
      if (c.figure == figure)
        out.push_back(fmt::format("{} {} {:g}", what, c.above ? "above" : "below", c.bound));
  };
  of(file.supported, "supports");
  of(file.contradicted, "contradicts");
  return out;
}

/// The figures that have this unit.
Picture figures_of(const StudyResult& r, const std::string& unit, std::size_t number) {
  Picture p{fmt::format("figures-{}-{}", r.file.path.stem().string(), number),
            unit.empty() ? "Estimates" : "Estimates, in " + unit};
  p.caption =
      "With intervals that hold for all estimates of the study at once. Small points: bounds of "
      "the rule.";
  p.value.label = unit;
  p.horizontal = true;
  Series found{"estimate", Drawn::kPoints, 1}, bounds{"bound of the rule", Drawn::kPoints, 0};
  bounds.quiet = true;
  for (const Figure& f : r.figures) {
    if (f.unit != unit || !f.value) continue;
    const auto at = static_cast<double>(p.at.ticks.size());
    p.at.ticks.emplace_back(at, f.name);
    Mark mark{at, f.value};
    if (f.ci && std::isfinite(f.ci->lo) && std::isfinite(f.ci->hi))
      mark.lo = f.ci->lo, mark.hi = f.ci->hi;
    mark.note = asked_of(r.file, f.name);
    found.marks.push_back(std::move(mark));
    for (const auto* conditions : {&r.file.supported, &r.file.contradicted})
      for (const Condition& c : *conditions)
        if (c.figure == f.name) bounds.marks.push_back({at, c.bound, {}, {}, {to_string(c)}});
  }
  p.series = {std::move(found)};
  if (!bounds.marks.empty()) p.series.push_back(std::move(bounds));
  return p;
}

/// A setting of the cells with the values it takes, in their order, where all cells have it.
struct Varied {
  std::string name;
  std::vector<std::string> values;
};

std::string value_in(const CellReport& cell, const std::string& name) {
  if (name == "epochs") return std::to_string(cell.epochs);
  for (const auto& [setting, value] : cell.set)
    if (setting == name) return value;
  return "";
}

std::vector<Varied> varied(const Report& report) {
  std::vector<std::string> names;
  for (const auto& [setting, value] : report.cells.front().set)
    if (setting != "unique_tokens" || report.cells.front().epochs == 0) names.push_back(setting);
  if (report.cells.front().epochs > 0) names.emplace_back("epochs");
  std::vector<Varied> out;
  for (const std::string& name : names) {
    Varied v{name, {}};
    for (const CellReport& cell : report.cells)
      if (const std::string value = value_in(cell, name);
          std::find(v.values.begin(), v.values.end(), value) == v.values.end())
        v.values.push_back(value);
    if (v.values.size() > 1) out.push_back(std::move(v));
  }
  return out;
}

std::vector<std::string> figure_notes(const StudyResult& r) {
  std::vector<std::string> notes = {r.file.question};
  double flops = 0, seconds = 0;
  std::size_t runs = 0;
  for (const CellReport& cell : r.report.cells)
    for (const ArmReport& arm : cell.arms)
      for (const RecordPtr& run : arm.runs) {
        ++runs;
        flops += run->value("flops").value_or(0);
        seconds += run->value("seconds").value_or(0) * static_cast<double>(run->machine.threads);
      }
  notes.push_back(fmt::format("Based on {}: {:.3g} FLOP, {:.0f} min of training on one core.",
                              base::counted(runs, "run"), flops, seconds / 60));
  notes.push_back(
      fmt::format("File {}, hash {}", r.file.path.filename().string(), r.file.hash.substr(0, 12)));
  for (const Build& build : r.report.builds) notes.push_back("Made by " + to_string(build));
  return notes;
}

/// What is particular to the kind of study, else what every comparison shows across its tables.
std::vector<Picture> study_pictures(const StudyResult& r) {
  std::vector<Picture> out;
  for (auto picture : {grid_picture(r.report), bowls_picture(r.report), spread_picture(r)})
    if (picture) out.push_back(std::move(*picture));
  if (out.empty()) out = report_pictures(r.report);
  return out;
}

/// "[name](file)" becomes "name": the page is text.
std::string without_links(const std::string& text) {
  static const std::regex link(R"(\[([^\]]*)\]\([^)]*\))");
  return std::regex_replace(text, link, "$1");
}

/// An end of the interval; nothing where there is none.
std::string end_text(const Figure& f, double Interval::*end) {
  return f.ci && std::isfinite((*f.ci).*end) ? fmt::format("{}", (*f.ci).*end) : "";
}

PageSection figures_section(const StudyResult& r, const std::string& title) {
  PageSection section{title, figure_lines(r), figure_pictures(r), figure_notes(r)};
  section.notes.push_back("Rule: " + rule_text(r.file));
  return section;
}

}  // namespace

std::vector<Picture> figure_pictures(const StudyResult& r) {
  std::vector<std::string> units;
  for (const Figure& f : r.figures)
    if (f.value && std::find(units.begin(), units.end(), f.unit) == units.end())
      units.push_back(f.unit);
  std::vector<Picture> out;
  for (const std::string& unit : units) out.push_back(figures_of(r, unit, out.size()));
  return out;
}

std::optional<Picture> grid_picture(const Report& report) {
  const std::vector<Varied> settings = varied(report);
  if (settings.size() != 2 ||
      settings[0].values.size() * settings[1].values.size() != report.cells.size())
    return {};
  std::set<std::pair<std::string, std::string>> places_taken;
  for (const CellReport& cell : report.cells)
    places_taken.emplace(value_in(cell, settings[0].name), value_in(cell, settings[1].name));
  if (places_taken.size() != report.cells.size()) return {};  // no grid
  const Varied &lines = settings[0], &places = settings[1];
  const ArmReport& last = report.cells.front().arms.back();
  Picture p{"grid", fmt::format("{} compared with {}, by {} and {}", last.name,
                                report.cells.front().arms.front().name, lines.name, places.name)};
  p.caption = "Where a line crosses 0, the benefit ends. " + difference_caption(report);
  p.at.label = places.name;
  p.value.label = "nats per token (below 0: better)";
  p.rule = 0;
  for (std::size_t i = 0; i < places.values.size(); ++i)
    p.at.ticks.emplace_back(static_cast<double>(i), places.values[i]);
  for (std::size_t line = 0; line < lines.values.size(); ++line) {
    Series s{lines.name + "=" + lines.values[line], Drawn::kLine, static_cast<int>(line)};
    for (std::size_t i = 0; i < places.values.size(); ++i)
      for (const CellReport& cell : report.cells)
        if (value_in(cell, lines.name) == lines.values[line] &&
            value_in(cell, places.name) == places.values[i])
          if (auto mark = difference_mark(report, cell, cell.arms.back(), static_cast<double>(i)))
            s.marks.push_back(std::move(*mark));
    p.series.push_back(std::move(s));
  }
  return p;
}

std::optional<Picture> bowls_picture(const Report& report) {
  // Cells that differ in the rate, by what else they set.
  std::map<std::string, std::map<double, const CellReport*>> rows;
  for (const CellReport& cell : report.cells) {
    double rate = 0;
    Assignments rest;
    for (const auto& [setting, value] : cell.set)
      if (setting != "lr")
        rest.emplace_back(setting, value);
      else if (base::parse_number(value, rate) != std::errc{})
        return {};
    if (rate <= 0) return {};
    rows[to_text(rest)][rate] = &cell;
  }
  if (rows.empty() || rows.begin()->second.size() < 3) return {};
  Picture p{"bowls", "Loss against the learning rate"};
  p.caption = "Mean over the seeds that did not diverge.";
  p.at = {"highest learning rate", true};
  p.value.label = judged_label(report);
  int colour = 0;
  for (const auto& [rest, cells] : rows) {
    for (std::size_t arm = 0; arm < report.cells.front().arms.size(); ++arm) {
      const std::string& name = report.cells.front().arms[arm].name;
      Series s{rest.empty() ? name : name + ", " + rest, Drawn::kLine, colour, arm > 0};
      for (const auto& [rate, cell] : cells) {
        const auto metric = cell->arms[arm].metrics.find(report.judged);
        if (metric != cell->arms[arm].metrics.end() && metric->second.mean)
          s.marks.push_back({rate, metric->second.mean});
      }
      if (!s.marks.empty()) p.series.push_back(std::move(s));
    }
    ++colour;
  }
  return p;
}

std::optional<Picture> spread_picture(const StudyResult& r) {
  const auto of = std::find_if(r.file.figures.begin(), r.file.figures.end(),
                               [](const FigureSpec& f) { return f.of == "spread_ratio"; });
  if (of == r.file.figures.end()) return {};
  const std::string& metric = of->metric.empty() ? r.report.judged : of->metric;
  Picture p{"spread", "Every seed's " + metric};
  p.caption =
      "Small points: single runs. Large points: their mean, with one standard deviation on each "
      "side.";
  p.value.label = metric + (unit_of(metric).empty() ? "" : fmt::format(" ({})", unit_of(metric)));
  p.horizontal = true;
  Series seeds{"single seeds", Drawn::kPoints, 0, false, true},
      means{"mean ± sd", Drawn::kPoints, 1};
  for (const CellReport& cell : r.report.cells)
    for (const ArmReport& arm : cell.arms) {
      const auto at = static_cast<double>(p.at.ticks.size());
      p.at.ticks.emplace_back(at, cell.name.empty() ? arm.name : arm.name + ", " + cell.name);
      for (const RecordPtr& run : drawn(arm.runs, p.caption))
        if (const auto x = run->ok() ? run->value(metric) : std::nullopt)
          seeds.marks.push_back({at + 0.28, *x, {}, {}, {fmt::format("seed {}", run->seed)}});
      const auto known = arm.metrics.find(metric);
      if (known == arm.metrics.end() || !known->second.mean || !known->second.sd) continue;
      const double mean = *known->second.mean, sd = *known->second.sd;
      means.marks.push_back({at, mean, mean - sd, mean + sd});
    }
  p.series = {std::move(means), std::move(seeds)};
  return p;
}

std::string study_html(const StudyResult& r) {
  PageSection first = figures_section(r, "The estimates of the rule");
  for (Picture& picture : study_pictures(r))
    if (picture.id != "cells") first.pictures.push_back(std::move(picture));
  return render_html(r.report, headline(r), {std::move(first)});
}

std::string claims_html(const std::vector<ToldStudy>& studies) {
  Page page;
  page.title = "claims about dropout";
  std::map<std::string_view, int> verdicts;
  page.csv = "claim,title,verdict,estimate,value,low,high,unit\r\n";
  for (const ToldStudy& told : studies) {
    const StudyResult& r = told.result;
    ++verdicts[to_string(r.verdict)];
    PageSection section = figures_section(
        r, fmt::format("{}{}: {}", r.file.claim > 0 ? fmt::format("{}. ", r.file.claim) : "",
                       r.file.title, to_string(r.verdict)));
    for (std::size_t i = 0; i < told.by_hand.size(); ++i)
      section.notes.insert(section.notes.begin() + 1 + static_cast<std::ptrdiff_t>(i),
                           without_links(told.by_hand[i]));
    for (Picture& picture : study_pictures(r)) section.pictures.push_back(std::move(picture));
    for (std::size_t i = 0; i < r.report.cells.size(); ++i)
      for (auto of_cell : {compute_picture, front_picture, reliability_picture})
        if (auto picture = of_cell(r.report, r.report.cells[i])) {
          if (r.report.cells.size() > 1) picture->id += fmt::format("-{}", i + 1);
          section.pictures.push_back(std::move(*picture));
        }
    for (Picture& picture : section.pictures)
      if (picture.id.find(r.file.path.stem().string()) == std::string::npos)
        picture.id += "-" + r.file.path.stem().string();
    page.sections.push_back(std::move(section));
    for (const Figure& f : r.figures)
      page.csv += fmt::format("{},{},{},{},{},{},{},{}\r\n", r.file.claim,
                              base::csv_field(r.file.title), to_string(r.verdict),
                              base::csv_field(f.name), f.value ? fmt::format("{}", *f.value) : "",
                              end_text(f, &Interval::lo), end_text(f, &Interval::hi), f.unit);
  }
  for (const auto& [verdict, count] : verdicts)
    page.answer += fmt::format("{}{} {}", page.answer.empty() ? "" : ", ", count, verdict);
  page.answer = fmt::format(
      "{}, each with a rule that was fixed before its runs: {}.",
      studies.size() == 1 ? "1 study" : fmt::format("{} studies", studies.size()), page.answer);
  page.footnotes = {
      "Each study is a file in studies/. 'isodrop study FILE' makes its runs; 'isodrop study FILE "
      "--from docs/claims' makes its estimates again from the published records."};
  return to_html(page);
}

}  // namespace lab
