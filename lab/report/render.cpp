// The report as text for a terminal and as Markdown.
#include "lab/report/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "lab/report/html.h"
#include "lab/report/pairs.h"

namespace lab {
namespace {

/// "Equal budget of 20steps an arm (3 TFLOP)"; FLOPs only where every arm spends the same.
std::string budget_text(const Report& r) {
  std::vector<std::string> budgets, stopped;  // of the tables; of arms with less; each once
  const auto add = [](std::vector<std::string>& to, std::string text) {
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(std::move(text));
  };
  bool same_flops = true;
  const auto flops = r.cells.front().arms.front().metrics.find("flops")->second.mean;
  for (const CellReport& cell : r.cells) {
    const auto most = std::max_element(
        cell.arms.begin(), cell.arms.end(), [](const ArmReport& a, const ArmReport& b) {
          return train::Budget::parse(a.budget).amount < train::Budget::parse(b.budget).amount;
        });
    add(budgets, most->budget);
    for (const ArmReport& arm : cell.arms) {
      const auto mine = arm.metrics.find("flops")->second.mean;
      same_flops = same_flops && (!mine || mine == flops);
      if (arm.budget == most->budget) continue;
      add(stopped, arm.tuned ? fmt::format("tuning stopped \"{}\" at {}", arm.name, arm.budget)
                             : fmt::format("\"{}\" gets {}", arm.name, arm.budget));
    }
  }
  std::string text = stopped.empty() ? "Equal" : "Same maximum";
  text += fmt::format(" budget of {} an arm", fmt::join(budgets, " or "));
  if (!stopped.empty()) return fmt::format("{}; {}", text, fmt::join(stopped, ", "));
  if (flops && same_flops) text += fmt::format(" ({:.3g} TFLOP)", *flops / 1e12);
  return text;
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

/// What a reader must know before the verdicts are believed, the gravest first.
std::vector<std::string> warnings(const Report& r) {
  std::vector<std::string> out;
  if (!r.final) out.emplace_back("not final: some runs are still to come");
  if (r.builds.size() > 1)
    out.push_back(fmt::format("made by {} builds, which may round differently", r.builds.size()));
  if (r.judged != "test_loss")
    out.emplace_back("no test split: judged on the validation split, which tuning used too");
  // Notes that are facts of every table wait for --verbose.
  constexpr std::string_view kNotes[] = {"NOT AT EQUAL", ": runs lost", "withheld", "too few",
                                         "overfitted",   "edge of",     "takes "};
  for (const std::string_view grave : kNotes)
    for (const CellReport& cell : r.cells)
      for (const std::string& note : cell_notes(r, cell))
        if (note.find(grave) != note.npos && std::find(out.begin(), out.end(), note) == out.end())
          out.push_back(note);
  return out;
}

/// What the columns and words of these tables mean, and what to be careful with: at most four.
std::vector<std::string> brief_notes(const Report& r, const std::vector<base::Lines>& tables) {
  const auto shown = [&](std::string_view head) {
    return std::any_of(tables.begin(), tables.end(), [&](const base::Lines& table) {
      return std::find(table[0].begin(), table[0].end(), head) != table[0].end();
    });
  };
  const auto said = [&](std::string_view verdict) {
    return std::any_of(tables.begin(), tables.end(), [&](const base::Lines& table) {
      return std::any_of(table.begin() + 1, table.end(),
                         [&](const auto& line) { return line.back() == verdict; });
    });
  };
  const bool test = r.judged == "test_loss";
  const std::string_view loss = test ? "test loss" : "val loss";
  const std::string& first = r.cells.front().arms.front().name;
  std::vector<std::string> out;
  out.push_back(fmt::format("{}: nats per token, {} over {} paired {}. {}.",
                            shown(loss) ? loss : "loss", "mean ± sd", r.seeds,
                            r.seeds == 1 ? "seed" : "seeds", budget_text(r)));
  std::string columns =
      fmt::format("difference: {} minus {}, seed by seed, with its interval.", loss, first);
  if (shown("chosen")) columns += " chosen: by tuning, on other seeds.";
  if (shown("worth"))
    columns += fmt::format(" worth: share of the budget at which {} does as well.", first);
  if (shown("step time")) columns += fmt::format(" step time: relative to {}.", first);
  out.push_back(columns);
  std::string words;
  const auto word = [&](bool wanted, const std::string& text) {
    if (wanted) words += (words.empty() ? "" : "; ") + text;
  };
  word(said("helps") || said("hurts"), fmt::format("helps, hurts: Holm's p < {}", r.rules.alpha));
  const std::string margin =
      r.own_margin ? fmt::format("±{:.4g} nats", r.rules.margin) : "the baseline's sd over seeds";
  word(said("no difference") || said("negligible"), "no difference, negligible: within " + margin);
  word(said("inconclusive"), "inconclusive: too uncertain to say");
  word(said("withheld"), "withheld: runs were lost");
  if (!words.empty()) out.push_back(words + ".");
  if (const std::vector<std::string> all = warnings(r); !all.empty())
    out.push_back("Note: " + all.front() +
                  (all.size() == 1 ? "." : fmt::format(" (and {} more).", all.size() - 1)));
  return out;
}

std::string render_brief(const Report& report, bool color, std::size_t width) {
  constexpr std::size_t kUsual = 80;
  const std::size_t columns = width > 0 ? width : kUsual;
  std::string out = base::wrapped(base::printable(answer(report)), columns) + "\n";
  std::vector<base::Lines> tables;
  for (const CellReport& cell : report.cells) {
    tables.push_back(brief_table(report, cell, columns));
    out += "\n" + (report.cells.size() > 1 ? base::printable(cell.title) + "\n" : "") +
           base::text_table(tables.back(), color ? line_style : nullptr);
  }
  out += "\n";
  for (const std::string& note : brief_notes(report, tables))
    out += base::wrapped(base::printable(note), columns) + "\n";
  return out;
}

}  // namespace

std::vector<std::string> report_header(const Report& r) {
  std::vector<std::string> lines = {fmt::format("{}; {} paired {}; losses in nats per token",
                                                budget_text(r), r.seeds,
                                                r.seeds == 1 ? "seed" : "seeds")};
  if (r.tuning_seeds > 0)
    lines.push_back(
        fmt::format("Each arm was tuned on at least {} by validation loss, and its choice was "
                    "recorded before the judged runs",
                    base::counted(static_cast<std::uint64_t>(r.tuning_seeds), "other seed")));
  lines.push_back(r.data.sentence);
  if (r.judged != "test_loss")
    lines.emplace_back(
        "NO TEST SPLIT: verdicts are on the validation split, which tuning used too");
  std::string machines;
  for (const Machine& m : r.machines)
    machines += fmt::format("{}{}, {} {}", machines.empty() ? "Made on " : "; ", m.cpu, m.threads,
                            m.threads == 1 ? "thread" : "threads");
  if (!machines.empty()) lines.push_back(machines);
  if (r.builds.size() == 1) lines.push_back("By " + to_string(r.builds.front()));
  if (r.builds.size() > 1) {
    lines.push_back(fmt::format(
        "MIXED: made by {} builds, which may round differently; read differences with care:",
        r.builds.size()));
    for (const Build& build : r.builds) lines.push_back("  " + to_string(build));
  }
  return lines;
}

std::vector<std::string> report_footnotes(const Report& r) {
  std::vector<std::string> lines;
  const auto any = [&](auto has) {
    for (const CellReport& cell : r.cells)
      if (std::any_of(cell.arms.begin(), cell.arms.end(), has)) return true;
    return false;
  };
  const auto knows = [](std::string_view name) {
    return [name](const ArmReport& arm) { return arm.metrics.find(name)->second.mean.has_value(); };
  };
  lines.push_back(fmt::format(
      "difference: {} loss minus the first arm's, with its {:.6g} % interval (all {} together "
      "{:.6g} %, Bonferroni), {}.",
      r.judged == "test_loss" ? "test" : "validation", 100 * ci_level(r.rules, family_of(r)),
      family_of(r), 100 * ci_level(r.rules),
      r.own_exams      ? "t over seeds, each with its own text"
      : any_windows(r) ? "t over seeds crossed with the windows of the text that they share"
                       : "t over seeds, which share one text: it says nothing about other text"));
  lines.push_back(fmt::format(
      "verdict: helps, hurts: Holm's p < {} over the whole table, from {} seeds on; no difference: "
      "two one-sided tests within the margin, {}; negligible: the whole interval within it; "
      "inconclusive: none of these.",
      r.rules.alpha, r.rules.min_seeds,
      r.own_margin ? fmt::format("±{} nats as given", r.rules.margin)
                   : std::string("the first arm's sd over seeds")));
  lines.emplace_back(
      "A seed sets initial weights, data order, masks and the data. Smaller data sets are prefixes "
      "of larger ones, the same for every arm.");
  std::string columns =
      "best*: lowest validation loss during the run, optimistic. gap: validation loss minus "
      "training loss.";
  if (any(knows("excess"))) columns += " excess: above the best possible loss.";
  if (any(knows("excess_window")))
    columns += " (window): above the best possible with the model's context.";
  if (any([](const ArmReport& arm) { return arm.equivalent.has_value(); }))
    columns += " worth: the share of the budget at which the first arm reaches the same loss.";
  if (any([](const ArmReport& arm) { return arm.speed.has_value(); }))
    columns += " step time: relative to the first arm, measured in turns, with quartiles.";
  lines.push_back(columns);
  lines.emplace_back(
      "FLOPs are counted as 6N + 12LCT per token; executed_flops in JSON and CSV counts what the "
      "ops executed.");
  if (const std::string note = looks_note(r.rules); !note.empty()) lines.push_back(note);
  if (!train::Budget::parse(r.budget).fixed_steps())
    lines.emplace_back(
        "A budget of time depends on the machine's speed at the moment, so runs do not repeat bit "
        "for bit.");
  if (!r.study.empty())
    lines.push_back("Study " + r.study.substr(0, 12) +
                    " (hash of study.json, written before the first run)");
  if (!r.store.empty()) lines.push_back("Runs: " + r.store);
  return lines;
}

std::string render(const Report& report, const std::string& format, bool color, std::size_t width) {
  if (format == "brief") return render_brief(report, color, width);
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
    out +=
        std::string("NOT FINAL: some runs are still to come, so there are no verdicts yet") + end;
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
  std::string out = fmt::format("Not final: the {} so far, {} paired seeds planned\n",
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
