#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "lab/report/pages.h"
#include "lab/report/pictures.h"
#include "lab/report/render.h"
#include "train/config/budget.h"

namespace lab {
namespace {

constexpr std::size_t kNamed = 3;  // arms that the sentence names; more are counted

/// "a", "a and b", "a, b and c", "7 arms (a most)"
std::string names_of(const std::vector<const ArmReport*>& arms) {
  if (arms.size() > kNamed)
    return fmt::format("{} arms ({} most)", arms.size(), arms.front()->name);
  std::string text;
  for (std::size_t i = 0; i < arms.size(); ++i)
    text += (i == 0 ? "" : i + 1 < arms.size() ? ", " : " and ") + arms[i]->name;
  return text;
}

/// "by 1.0975 to 1.1848 nats"
std::string sizes_of(const std::vector<const ArmReport*>& arms) {
  std::vector<double> sizes;
  for (const ArmReport* arm : arms)
    if (arm->versus->diff) sizes.push_back(std::abs(*arm->versus->diff));
  if (sizes.empty()) return "";
  const auto [low, high] = std::minmax_element(sizes.begin(), sizes.end());
  return *low == *high ? fmt::format(" by {:.4f} nats", *low)
                       : fmt::format(" by {:.4f} to {:.4f} nats", *low, *high);
}

/// What is said of the arms of a cell with one outcome; empty where there are none.
std::string said_of(const CellReport& cell, Outcome outcome) {
  std::vector<const ArmReport*> arms;
  for (const ArmReport& arm : cell.arms)
    if (arm.versus && arm.versus->verdict == outcome) arms.push_back(&arm);
  if (arms.empty()) return "";
  std::stable_sort(arms.begin(), arms.end(), [](const ArmReport* a, const ArmReport* b) {
    return std::abs(a->versus->diff.value_or(0)) > std::abs(b->versus->diff.value_or(0));
  });
  const bool one = arms.size() == 1;
  const std::string names = names_of(arms);
  switch (outcome) {
    case Outcome::kHelps:
      return names + (one ? " helps" : " help") + sizes_of(arms);
    case Outcome::kHurts:
      return names + (one ? " hurts" : " hurt") + sizes_of(arms);
    case Outcome::kNoDifference:
      return names + (one ? " makes" : " make") + " no difference";
    case Outcome::kCannotTell:
      return "inconclusive for " + names;
    case Outcome::kWithheld:
      return "no verdict for " + names + ", because runs were lost";
    case Outcome::kBaseline:
      break;
  }
  return "";
}

/// What the arms have alike: "at equal compute".
std::string_view at_what(const Report& report) {
  using Kind = train::Budget::Kind;
  constexpr double kSame = 1.01;  // FLOPs of arms whose budgets are not in FLOPs
  bool same_budget = true, same_flops = true;
  for (const CellReport& cell : report.cells)
    for (const ArmReport& arm : cell.arms) {
      same_budget = same_budget && arm.budget == cell.arms.front().budget;
      for (const RecordPtr& run : arm.runs)  // ended by patience
        same_budget = same_budget && !run->value("budget_spent");
      const auto mine = spread(arm, "flops").mean, first = spread(cell.arms.front(), "flops").mean;
      same_flops = same_flops &&
                   (!mine || !first || std::max(*mine, *first) <= kSame * std::min(*mine, *first));
    }
  if (!only_tuning_stops(report)) return "with different budgets";
  if (!same_budget) return "at the same maximum budget";
  const Kind kind = train::Budget::parse(report.budget).kind;
  if (kind == Kind::kSeconds) return "in equal time";
  return kind == Kind::kFlops || same_flops ? "at equal compute" : "at an equal budget";
}

struct Count {
  std::size_t there = 0, missing = 0;
};

Count count_runs(const Report& report) {
  Count count;
  for (const CellReport& cell : report.cells)
    for (const ArmReport& arm : cell.arms)
      count.there += arm.runs.size(), count.missing += arm.missing.size();
  return count;
}

/// "dropout=0.1: seeds 3, 4 (4 000 unique tokens, seen 256 times)"; first that this is not final.
std::vector<std::string> missing(const Report& report) {
  if (report.final) return {};
  const Count count = count_runs(report);
  std::vector<std::string> lines = {
      count.missing > 0
          ? fmt::format("Not final: {} of {} {} missing, so there are no verdicts yet.",
                        count.missing, base::counted(count.there + count.missing, "run"),
                        count.missing == 1 ? "is" : "are")
          : "Not final: runs at other budgets are missing, so there are no verdicts yet."};
  lines.front() += " This page reloads itself until they are done.";
  for (const CellReport& cell : report.cells)
    for (const ArmReport& arm : cell.arms) {
      if (arm.missing.empty()) continue;
      lines.push_back(fmt::format("{}: seed{} {}{}", arm.name, arm.missing.size() == 1 ? "" : "s",
                                  fmt::join(arm.missing, ", "),
                                  report.cells.size() > 1 ? " (" + cell.title + ")" : ""));
    }
  return lines;
}

}  // namespace

std::string answer(const Report& report) {
  if (!report.final) {
    const Count count = count_runs(report);
    if (count.missing == 0) return "No answer yet: runs at other budgets are not done.";
    return fmt::format("No answer yet: {} of {} {} done.", count.there,
                       base::counted(count.there + count.missing, "run"),
                       count.there == 1 ? "is" : "are");
  }
  std::vector<std::string> parts;  // of the cells
  std::string text;
  for (const CellReport& cell : report.cells) {
    std::string said;
    for (const Outcome outcome : {Outcome::kHelps, Outcome::kHurts, Outcome::kNoDifference,
                                  Outcome::kCannotTell, Outcome::kWithheld})
      if (const std::string part = said_of(cell, outcome); !part.empty())
        said += (said.empty() ? "" : ", ") + part;
    if (said.empty()) continue;
    parts.push_back(said);
    text += (text.empty() ? "" : "; ") + (report.cells.size() > 1 ? cell.title + ": " : "") + said;
  }
  if (parts.size() > 1 && std::count(parts.begin(), parts.end(), parts.front()) ==
                              static_cast<std::ptrdiff_t>(report.cells.size()))
    text = fmt::format("{} in each of the {} tables", parts.front(), parts.size());
  if (text.empty()) return "There is nothing to compare.";
  return fmt::format("Compared with {} {}: {}.", report.cells.front().arms.front().name,
                     at_what(report), text);
}

/// The text's table with its columns in the order of what they say, and spelled out.
PageSection cell_section(const Report& report, const CellReport& cell) {
  constexpr std::array<std::string_view, 5> kFirst = {"arm", " loss", "difference", " interval",
                                                      "verdict"};
  const base::Lines lines = cell_table(report, cell);
  std::vector<std::size_t> order;
  for (const std::string_view name : kFirst)
    for (std::size_t i = 0; i < lines[0].size(); ++i)
      if (lines[0][i].ends_with(name)) order.push_back(i);
  PageSection section{cell.title, {}, cell_pictures(report, cell), {}};
  for (CellNote& note : cell_notes(report, cell)) section.notes.push_back(std::move(note.text));
  section.key = order.size();
  for (std::size_t i = 0; i < lines[0].size(); ++i)
    if (std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
  for (const std::vector<std::string>& line : lines) {
    section.table.emplace_back();
    for (const std::size_t i : order) section.table.back().push_back(line[i]);
  }
  for (std::string& head : section.table.front()) head = spelled_out(head);
  return section;
}

std::string render_html(const Report& report, const std::string& headline,
                        std::vector<PageSection> first) {
  Page page;
  page.title = fmt::format("comparison with {}", report.cells.front().arms.front().name);
  page.answer = headline.empty() ? answer(report) : headline;
  page.missing = missing(report);
  page.facts = report_header(report);
  page.sections = std::move(first);
  std::vector<std::string> heads;
  for (const CellReport& cell : report.cells) {
    page.sections.push_back(cell_section(report, cell));
    const std::vector<std::string>& mine = page.sections.back().table.front();
    heads.insert(heads.end(), mine.begin(), mine.end());
  }
  if (std::vector<Picture> all = report_pictures(report); !all.empty())
    page.sections.push_back({"Across the tables", {}, std::move(all)});
  page.footnotes = report_footnotes(report, heads);
  page.csv = render(report, "csv", false);
  return to_html(page);
}

}  // namespace lab
