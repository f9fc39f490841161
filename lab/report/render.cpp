// The report as text for a terminal and as Markdown.
#include "lab/report/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "lab/report/pairs.h"

namespace lab {
namespace {

/// FLOPs are those of the budget only where every arm spends the same.
std::string budget_text(const Report& r) {
  std::vector<std::string> budgets;  // each once
  bool same_flops = true;
  const auto flops = r.cells.front().arms.front().metrics.find("flops")->second.mean;
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms) {
      if (std::find(budgets.begin(), budgets.end(), arm.budget) == budgets.end())
        budgets.push_back(arm.budget);
      const auto mine = arm.metrics.find("flops")->second.mean;
      same_flops = same_flops && (!mine || mine == flops);
    }
  if (budgets.size() > 1)
    return fmt::format("Budgets not equal for all arms: {}; ", fmt::join(budgets, ", "));
  std::string text = fmt::format("Equal budget of {} an arm", budgets.front());
  if (flops && same_flops) text += fmt::format(" ({:.3g} TFLOP)", *flops / 1e12);
  return text + ", ";
}

/// Whether the seeds' shared text had windows enough to speak of other text, or nothing is tested.
bool any_windows(const Report& r) {
  bool tested = false;
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms)
      if (arm.versus && arm.versus->ci) {
        if (arm.versus->se_windows) return true;
        tested = true;
      }
  return !tested;
}

/// What a terminal shows a line in: the heading bold, verdicts in their colours.
std::string_view line_style(const std::vector<std::string>& line, bool heading) {
  if (heading) return base::kBold;
  if (line.back() == "helps") return "\033[32m";
  return line.back() == "hurts" ? "\033[31m" : "";
}

}  // namespace

std::vector<std::string> report_header(const Report& r) {
  std::vector<std::string> lines = {fmt::format("{}{} paired {}; losses in nats per token",
                                                budget_text(r), r.seeds,
                                                r.seeds == 1 ? "seed" : "seeds")};
  if (r.tuning_seeds > 0)
    lines.push_back(
        fmt::format("Every arm tuned on {} or more seeds of its own by its validation loss, the "
                    "choice written down before the judged runs",
                    r.tuning_seeds));
  lines.push_back(r.data.sentence);
  if (r.judged != "test_loss")
    lines.emplace_back(
        "NO TEST SPLIT: verdicts are on the validation split, by which was also chosen");
  std::string machines;
  for (const Machine& m : r.machines)
    machines += fmt::format("{}{}, {} {}", machines.empty() ? "Made on " : "; ", m.cpu, m.threads,
                            m.threads == 1 ? "thread" : "threads");
  if (!machines.empty()) lines.push_back(machines);
  if (r.builds.size() == 1) lines.push_back("By " + to_string(r.builds.front()));
  if (r.builds.size() > 1) {
    lines.push_back(fmt::format(
        "MIXED: made by {} builds, which may compute other bits; take differences with care:",
        r.builds.size()));
    for (const Build& build : r.builds) lines.push_back("  " + to_string(build));
  }
  return lines;
}

std::vector<std::string> report_footnotes(const Report& r) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "difference: {} loss minus the first arm's, with the interval at {:.6g} % (all {} at once "
      "{:.6g} %, Bonferroni){}.",
      r.judged == "test_loss" ? "test" : "validation", 100 * ci_level(r.rules, family_of(r)),
      family_of(r), 100 * ci_level(r.rules),
      r.own_exams      ? ", t over seeds, each with texts of its own"
      : any_windows(r) ? ", t over seeds crossed with the windows of the text that they share"
                       : ", t over seeds, which share one text: they don't speak of another"));
  lines.push_back(
      fmt::format("helps / hurts: Holm's p < {} over the whole table, from {} seeds on; "
                  "no difference: two one-sided tests within the margin, {}.",
                  r.rules.alpha, r.rules.min_seeds,
                  r.own_margin ? fmt::format("±{} nats as given", r.rules.margin)
                               : std::string("which is what another seed changes the first arm "
                                             "by (its sd over seeds)")));
  lines.emplace_back(
      "A seed varies initial weights, data order, masks and the data; the data of a smaller share "
      "or "
      "size are the beginning of those of a larger one, the same for every arm.");
  lines.emplace_back(
      "best*: lowest validation loss on the way, optimistic. step time: against the first arm's, "
      "in "
      "turns, with quartiles.");
  lines.emplace_back(
      "FLOPs are counted as 6N + 12LCT a token; executed_flops in JSON and CSV is what the ops "
      "took.");
  if (const std::string note = looks_note(r.rules); !note.empty()) lines.push_back(note);
  if (!train::Budget::parse(r.budget).fixed_steps())
    lines.emplace_back(
        "A budget of time depends on the machine's speed at the moment: runs do not repeat bit by "
        "bit.");
  if (!r.study.empty())
    lines.push_back("Study " + r.study.substr(0, 12) +
                    " (hash of study.json, written before the first run)");
  if (!r.store.empty()) lines.push_back("Runs: " + r.store);
  return lines;
}

std::string render(const Report& report, const std::string& format, bool color, std::size_t width) {
  if (format == "json") return base::json_text(to_json(report));
  if (format == "csv") return render_csv(report);
  const bool markdown = format == "md";
  const std::string end = markdown ? "  \n" : "\n";
  const auto shown = [&](const std::string& line) {
    return markdown ? base::markdown_text(line) : base::printable(line);
  };
  std::string out;
  for (const std::string& line : report_header(report)) out += shown(line) + end;
  if (!report.final)
    out += std::string("NOT FINAL: some runs are still to come, so there are no verdicts") + end;
  for (const CellReport& cell : report.cells) {
    const base::Lines table = cell_table(report, cell, markdown ? 0 : width, !markdown);
    out += (markdown ? "\n**" : "\n") + shown(cell.title) + (markdown ? "**\n\n" : "\n");
    out += markdown ? base::markdown_table(table)
                    : base::text_table(table, color ? line_style : nullptr);
    const auto notes = cell_notes(report, cell);
    if (markdown && !notes.empty()) out += "\n";
    for (const std::string& note : notes) out += (markdown ? "- " : "  ") + shown(note) + "\n";
  }
  out += "\n";
  for (const std::string& line : report_footnotes(report)) out += shown(line) + end;
  return out;
}

std::string render_live(const Report& report) {
  std::string out = fmt::format("Not final: the {} so far, of {} paired seeds\n",
                                report.tuning ? "choices" : "table", report.seeds);
  const Metric& judged = metric(report.judged);
  for (const CellReport& cell : report.cells) {
    base::Lines lines = {{"arm", report.judged == "test_loss" ? "test loss" : "val loss",
                          "difference", "seeds", ""}};
    const ArmReport& first = cell.arms.front();
    for (const ArmReport& arm : cell.arms) {
      // Of the seeds that both have, or an arm that is one seed ahead would be held against others.
      std::vector<double> diff;
      for (const PairOfRuns& pair : pairs(report, cell, arm)) diff.push_back(pair.diff());
      const Spread& s = arm.metrics.find(report.judged)->second;
      lines.push_back({arm.name, text(judged, s.mean) + (s.sd ? " ± " + text(judged, s.sd) : ""),
                       &arm == &first || diff.empty() ? "–" : base::decimals(*mean(diff), 4, true),
                       std::to_string(arm.runs.size()), ""});
    }
    out += base::printable(cell.title) + "\n" + base::text_table(lines, nullptr);
  }
  return out;
}

}  // namespace lab
