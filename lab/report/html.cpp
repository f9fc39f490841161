#include "lab/report/html.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/report/pictures.h"
#include "lab/report/render.h"

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
      return names + (one ? " is inconclusive" : " are inconclusive");
    case Outcome::kWithheld:
      return names + (one ? " is withheld" : " are withheld") + ", since runs were lost";
    case Outcome::kBaseline:
      break;
  }
  return "";
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
          ? fmt::format("Not final: {} of the {} runs of this table are still missing, so there "
                        "are no verdicts. The file is written anew after every run; load it again.",
                        count.missing, count.there + count.missing)
          : "Not final: runs at other budgets are still missing, so there are no verdicts. The "
            "file "
            "is written anew after every run; load it again."};
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
    return fmt::format("No answer yet: {} of {} runs are there.", count.there,
                       count.there + count.missing);
  }
  std::string text;
  for (const CellReport& cell : report.cells) {
    std::string said;
    for (const Outcome outcome : {Outcome::kHelps, Outcome::kHurts, Outcome::kNoDifference,
                                  Outcome::kCannotTell, Outcome::kWithheld})
      if (const std::string part = said_of(cell, outcome); !part.empty())
        said += (said.empty() ? "" : ", ") + part;
    if (said.empty()) continue;
    text += (text.empty() ? "" : "; ") + (report.cells.size() > 1 ? cell.title + ": " : "") + said;
  }
  return fmt::format("Against {} at the same compute: {}.", report.cells.front().arms.front().name,
                     text);
}

std::string render_html(const Report& report, const std::string& headline,
                        std::vector<PageSection> first) {
  Page page;
  page.title = fmt::format("comparison with {}", report.cells.front().arms.front().name);
  page.answer = headline.empty() ? answer(report) : headline;
  page.missing = missing(report);
  page.facts = report_header(report);
  page.sections = std::move(first);
  for (const CellReport& cell : report.cells)
    page.sections.push_back({cell.title, cell_table(report, cell), cell_pictures(report, cell),
                             cell_notes(report, cell)});
  if (std::vector<Picture> all = report_pictures(report); !all.empty())
    page.sections.push_back({"Across the tables", {}, std::move(all)});
  page.footnotes = report_footnotes(report);
  page.csv = render(report, "csv", false);
  return to_html(page);
}

}  // namespace lab
