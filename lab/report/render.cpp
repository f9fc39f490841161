// The report as text for a terminal and as Markdown.
#include "lab/report/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/text_table.h"
#include "lab/report/pages.h"
#include "lab/report/pictures.h"
#include "train/config/budget.h"

namespace lab {
namespace {

void add_once(std::vector<std::string>& to, const std::string& text) {
  if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
}

/// "Same budget for each arm: 500 steps (3 TFLOP)"; where arms have less, which ones and why. FLOPs
/// are those of the budget only where every arm spends the same.
std::string budget_text(const Report& r) {
  std::vector<std::string> whole, less;  // of the tables, of arms that may spend less
  const auto flops = spread(r.cells.front().arms.front(), "flops").mean;
  const bool stopped = only_tuning_stops(r);
  bool same_flops = true;
  for (const CellReport& cell : r.cells) {
    const std::string& most = most_budget(cell);
    add_once(whole, budget_words(most));
    for (const ArmReport& arm : cell.arms) {
      const auto mine = spread(arm, "flops").mean;
      same_flops = same_flops && (!mine || mine == flops);
      if (arm.budget != most)
        add_once(less, stopped ? fmt::format("tuning stopped {} at {}", base::quote(arm.name),
                                             budget_words(arm.budget))
                               : fmt::format("{} for {}", budget_words(arm.budget),
                                             base::quote(arm.name)));
    }
  }
  const std::string budget = fmt::format("{}", fmt::join(whole, " or "));
  if (less.empty())
    return "Same budget for each arm: " + budget +
           (flops && same_flops ? " (" + flop_text(*flops) + ")" : "");
  return fmt::format("{} {}; {}", stopped ? "Same maximum budget:" : "Budgets differ: at most",
                     budget, fmt::join(less, ", "));
}

/// Lines of at most `width` characters; 0: one line.
std::string wrapped(const std::string& text, std::size_t width) {
  return base::wrapped(text, width) + "\n";
}

/// What a terminal shows a line in: the heading bold, verdicts in their colours.
std::string_view line_style(const std::vector<std::string>& line, bool heading) {
  if (heading) return base::kBold;
  if (line.back() == "helps") return "\033[32m";
  return line.back() == "hurts" ? "\033[31m" : "";
}

/// What a verdict means, in a sentence.
std::string verdict_note(const Report& r) {
  return fmt::format(
      "verdict: helps or hurts if Holm's p < {} over the whole table, with {} or more; no "
      "difference if two one-sided tests place it within the margin, {}, and negligible if the whole interval lies in it; else "
      "inconclusive.",
      r.rules.alpha, base::counted(static_cast<std::uint64_t>(r.rules.min_seeds), "seed"),
      r.own_margin ? fmt::format("±{} nats", r.rules.margin)
                   : std::string("the first arm's standard deviation over seeds"));
}

std::string seeds_text(const Report& r) {
  return base::counted(static_cast<std::uint64_t>(r.seeds), "paired seed");
}

/// What every reader of a verdict must know.
std::vector<std::string> warnings(const Report& r) {
  std::vector<std::string> lines;
  if (r.judged != "test_loss")
    lines.emplace_back(
        "NO TEST SPLIT: verdicts are on the validation split, which tuning and early stopping use, "
        "too");
  if (r.builds.size() > 1)
    lines.push_back(fmt::format(
        "MIXED: made by {} builds, which may compute other bits; take differences with care",
        r.builds.size()));
  return lines;
}

/// At most four notes: what is compared, what the columns and the verdicts shown mean, and what may
/// mislead. `tables`: as they are shown.
std::vector<std::string> brief_notes(const Report& r, const std::vector<base::Lines>& tables,
                                     const std::vector<std::string>& vital) {
  constexpr std::size_t kMostVital = 2;
  const std::string& first = r.cells.front().arms.front().name;
  std::set<std::string> heads, words;
  for (const base::Lines& table : tables) {
    heads.insert(table.front().begin(), table.front().end());
    for (std::size_t i = 1; i < table.size(); ++i) words.insert(table[i].back());
  }
  const std::string loss = r.judged == "test_loss" ? "test loss" : "val loss";
  std::vector<std::string> out = {fmt::format("{}: nats per token, mean ± sd over {}. {}.", loss,
                                              seeds_text(r), budget_text(r))};
  const std::size_t family = family_of(r);
  out.push_back(fmt::format("difference: {} minus that of {}, seed by seed{}.", loss, first,
                            family > 1 ? fmt::format("; its {} intervals hold together at {:.6g} %",
                                                     family, 100 * ci_level(r.rules))
                                       : ""));
  const auto column = [&](const char* head, const std::string& text) {
    if (heads.contains(head)) out.back() += " " + text;
  };
  column("p (Holm)", "p: corrected for all comparisons shown (Holm).");
  column("chosen", "chosen: by tuning, on other seeds.");
  column("worth", "worth: the share of its budget with which " + first + " is as good.");
  column("step time", "step time: relative to " + first + ".");
  column("epochs", "epochs: passes over the data.");
  column("budget", "budget: the most a run may train.");
  column("gap", "gap: validation minus training loss.");
  std::string verdicts;
  const auto word = [&](bool said, const std::string& text) {
    if (said) verdicts += (verdicts.empty() ? "" : "; ") + text;
  };
  word(words.contains("helps") || words.contains("hurts"),
       fmt::format("helps, hurts: Holm's p < {}", r.rules.alpha));
  word(words.contains("no difference") || words.contains("negligible"),
       fmt::format("no difference, negligible: within {}",
                   r.own_margin ? fmt::format("±{:.4g} nats", r.rules.margin)
                                : "the sd of " + first + " over seeds"));
  word(words.contains("inconclusive"), "inconclusive: the data do not decide");
  word(words.contains("withheld"), "withheld: runs were lost");
  if (!verdicts.empty()) out.push_back(verdicts + ".");
  std::string note;
  for (std::size_t i = 0; i < std::min(kMostVital, vital.size()); ++i)
    note += (i == 0 ? "Note: " : ". ") + vital[i];
  if (vital.size() > kMostVital)
    note += fmt::format(" (and {} with --verbose)",
                        base::counted(vital.size() - kMostVital, "more note"));
  if (!note.empty()) out.push_back(note + ".");
  return out;
}

/// The answer, a table for each cell, and the notes that nobody should miss.
std::string render_brief(const Report& r, bool color, std::size_t width) {
  std::string out = wrapped(base::printable(answer(r)), width);
  std::vector<std::string> grave, vital = warnings(r);
  if (const std::string note = looks_note(r.rules); !note.empty()) vital.push_back(note);
  std::vector<base::Lines> tables;
  for (const CellReport& cell : r.cells) {
    tables.push_back(cell_table(r, cell, {width, true, true}));
    out += "\n";
    if (r.cells.size() > 1) out += base::printable(cell.title) + "\n";
    out += base::text_table(tables.back(), color ? line_style : nullptr);
    for (const CellNote& note : cell_notes(r, cell))
      if (note.vital)
        (note.grave ? grave : vital)
            .push_back((r.cells.size() > 1 ? cell.title + ": " : "") + note.text);
  }
  out += "\n";
  vital.insert(vital.begin(), grave.begin(), grave.end());
  for (const std::string& note : brief_notes(r, tables, vital))
    out += wrapped(base::printable(note), width);
  return out;
}

}  // namespace

std::string flop_text(double flops) {
  const FlopUnit unit = flop_unit(flops);
  return fmt::format("{:.3g} {}", flops / unit.size, unit.name);
}

std::vector<std::string> report_header(const Report& r) {
  std::vector<std::string> lines = {
      fmt::format("{}; {}; losses in nats per token", budget_text(r), seeds_text(r))};
  if (r.tuning_seeds > 0)
    lines.push_back(fmt::format(
        "Each arm was tuned first, by its validation loss on at least {}; the choice was "
        "written down before the judged runs",
        base::counted(static_cast<std::uint64_t>(r.tuning_seeds), "other seed")));
  lines.push_back(r.data.sentence);
  std::string machines;
  for (const Machine& m : r.machines)
    machines += fmt::format("{}{}, {}", machines.empty() ? "Made on " : "; ", m.cpu,
                            base::counted(static_cast<std::uint64_t>(m.threads), "thread"));
  if (!machines.empty()) lines.push_back(machines);
  if (r.builds.size() == 1) lines.push_back("Made by " + to_string(r.builds.front()));
  for (std::string& line : warnings(r)) lines.push_back(std::move(line));
  if (r.builds.size() > 1)
    for (const Build& build : r.builds) lines.push_back("  " + to_string(build));
  return lines;
}

std::vector<std::string> report_footnotes(const Report& r, const std::vector<std::string>& heads) {
  std::vector<std::string> lines = column_notes(r, heads);
  lines.push_back(verdict_note(r));
  lines.emplace_back(
      "A seed changes initial weights, data order, masks and data. Smaller data sets are prefixes "
      "of larger ones, and the same for every arm.");
  lines.emplace_back(
      "FLOPs are counted as 6N + 12LCT per token; executed_flops in JSON and CSV is what the ops "
      "executed.");
  if (const std::string note = looks_note(r.rules); !note.empty()) lines.push_back(note);
  if (!train::Budget::parse(r.budget).fixed_steps())
    lines.emplace_back(
        "A budget of time depends on the machine's speed at the moment, so runs do not repeat bit "
        "by bit.");
  if (!r.study.empty())
    lines.push_back("Study " + r.study.substr(0, 12) +
                    " (hash of study.json, written before the first run)");
  if (!r.store.empty()) lines.push_back("Runs: " + r.store);
  return lines;
}

std::string render(const Report& report, const std::string& format, bool color, std::size_t width,
                   bool verbose) {
  if (format == "json") return base::json_text(to_json(report));
  if (format == "csv") return render_csv(report);
  const bool markdown = format == "md";
  if (!markdown && !verbose) return render_brief(report, color, width);
  const std::string end = markdown ? "  \n" : "\n";
  const auto shown = [&](const std::string& line) {
    return markdown ? base::markdown_text(line) : base::printable(line);
  };
  std::string out = shown(answer(report)) + "\n\n";
  for (const std::string& line : report_header(report)) out += shown(line) + end;
  std::vector<std::string> heads;
  for (const CellReport& cell : report.cells) {
    const base::Lines table = cell_table(report, cell, {markdown ? 0 : width, !markdown});
    heads.insert(heads.end(), table.front().begin(), table.front().end());
    out += (markdown ? "\n**" : "\n") + shown(cell.title) + (markdown ? "**\n\n" : "\n");
    out += markdown ? base::markdown_table(table)
                    : base::text_table(table, color ? line_style : nullptr);
    const auto notes = cell_notes(report, cell);
    if (markdown && !notes.empty()) out += "\n";
    for (const CellNote& note : notes) out += (markdown ? "- " : "  ") + shown(note.text) + "\n";
  }
  out += "\n";
  for (const std::string& line : report_footnotes(report, heads)) out += shown(line) + end;
  return out;
}

std::string render_live(const Report& report) {
  std::string out = fmt::format("Not final: the {} so far, of {}\n",
                                report.tuning ? "choices" : "table", seeds_text(report));
  const Metric& judged = metric(report.judged);
  for (const CellReport& cell : report.cells) {
    base::Lines lines = {{"arm", report.judged == "test_loss" ? "test loss" : "val loss",
                          "difference", "seeds", ""}};
    const ArmReport& first = cell.arms.front();
    for (const ArmReport& arm : cell.arms) {
      // Of the seeds that both have, or an arm that is one seed ahead would be compared with
      // others.
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
