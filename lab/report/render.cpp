// The report as text for a terminal, as Markdown and as CSV.
#include "lab/report/render.h"

#include <fmt/format.h>

#include <algorithm>

namespace lab {
namespace {

std::string number(const std::optional<double>& x, const char* format = "{:.4f}") {
  return x ? fmt::format(fmt::runtime(format), *x) : "–";
}

std::string signed_number(const std::optional<double>& x) { return number(x, "{:+.4f}"); }

/// Mean over the seeds, in the metric's format.
std::string mean_of(const ArmReport& arm, std::string_view name) {
  return text(metric(name), arm.metrics.find(name)->second.mean);
}

std::string mean_sd_of(const ArmReport& arm, std::string_view name) {
  const Spread& s = arm.metrics.find(name)->second;
  return text(metric(name), s.mean) + (s.sd ? " ± " + text(metric(name), s.sd) : "");
}

std::string verdict_text(const ArmReport& arm, bool first, bool final) {
  std::string text = first ? "baseline" : final ? "–" : "not final";
  if (arm.versus) {
    const Verdict& v = *arm.versus;
    text = to_string(v.verdict);
    if (v.verdict == Outcome::kWithheld)
      text += fmt::format(": lost {} of the pairs", v.diverged + v.failed);
    if (v.more_seeds) text += ": " + to_string(*v.more_seeds) + " more seeds would tell";
  }
  if (arm.diverged > 0) text += fmt::format("; {} diverged", arm.diverged);
  if (arm.failed > 0) text += fmt::format("; {} failed", arm.failed);
  if (!arm.missing.empty()) text += fmt::format("; {} to come", arm.missing.size());
  return text;
}

std::string level_text(const Rules& rules) {
  return fmt::format("{:.6g} %", 100 * ci_level(rules));
}

bool differ(const CellReport& cell, std::string_view metric) {
  const auto first = cell.arms.front().metrics.find(metric)->second.mean;
  return std::any_of(cell.arms.begin(), cell.arms.end(), [&](const ArmReport& arm) {
    return arm.metrics.find(metric)->second.mean != first;
  });
}

/// Whether any arm has the metric.
bool known(const Report& report, std::string_view metric) {
  for (const CellReport& cell : report.cells)
    for (const ArmReport& arm : cell.arms)
      if (arm.metrics.find(metric)->second.mean) return true;
  return false;
}

}  // namespace

Lines cell_table(const Report& report, const CellReport& cell) {
  const bool bayes = known(report, "excess_window");
  const bool own_epochs = differ(cell, "epochs");
  const bool own_budgets =
      std::any_of(cell.arms.begin(), cell.arms.end(),
                  [&](const ArmReport& arm) { return arm.budget != cell.arms.front().budget; });
  const bool equivalents = std::any_of(cell.arms.begin(), cell.arms.end(),
                                       [](const ArmReport& arm) { return arm.equivalent; });
  std::vector<std::string> head = {"arm", "val loss", "best*", "train", "gap"};
  if (own_budgets) head.emplace_back("budget");
  if (own_epochs) head.emplace_back("epochs");
  if (bayes) head.emplace_back("excess (window)");
  head.insert(head.end(), {fmt::format("difference [{} CI]", level_text(report.rules)), "p (Holm)",
                           "step time"});
  if (equivalents) head.emplace_back("worth");
  head.emplace_back("verdict");
  Lines lines = {head};
  for (const ArmReport& arm : cell.arms) {
    std::vector<std::string> line = {arm.name, mean_sd_of(arm, "val_loss"),
                                     mean_of(arm, "best_val_loss"), mean_of(arm, "train_loss"),
                                     mean_of(arm, "gap")};
    if (own_budgets) line.push_back(arm.budget);
    if (own_epochs) line.push_back(mean_of(arm, "epochs"));
    if (bayes)
      line.push_back(fmt::format("{} ({})", mean_of(arm, "excess"), mean_of(arm, "excess_window")));
    std::string diff = "–", p = "–";
    if (arm.versus) {
      const Verdict& v = *arm.versus;
      diff = signed_number(v.diff);
      if (v.ci95) diff += " [" + signed_number(v.ci95->lo) + ", " + signed_number(v.ci95->hi) + "]";
      if (v.p_holm) p = *v.p_holm < 0.0001 ? "<0.0001" : number(v.p_holm);
    }
    // Of the first arm there is nothing to be held against.
    std::string ratio = "–";
    if (arm.speed)
      ratio = &arm == cell.arms.data()
                  ? "×1"
                  : fmt::format("×{:.3f} [{:.3f}, {:.3f}]", arm.speed->step_time_ratio,
                                arm.speed->ratio_low, arm.speed->ratio_high);
    line.insert(line.end(), {diff, p, ratio});
    if (equivalents) line.push_back(arm.equivalent ? to_string(*arm.equivalent) : "–");
    line.push_back(verdict_text(arm, &arm == cell.arms.data(), report.final));
    lines.push_back(std::move(line));
  }
  return lines;
}

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

}  // namespace

std::vector<std::string> report_header(const Report& r) {
  std::vector<std::string> lines = {fmt::format("{}{} paired {}; losses in nats per token",
                                                budget_text(r), r.seeds,
                                                r.seeds == 1 ? "seed" : "seeds")};
  lines.push_back(r.data.sentence);
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
  std::vector<std::string> lines = {
      "* lowest along the way: optimistic, since the validation split chose it.",
      "A seed varies initial weights, data order, masks and which stretch of the training split is "
      "the unique data; not the validation split.",
      fmt::format(
          "helps / hurts: Holm's p < {} (paired t, over the whole table); no difference: two "
          "one-sided tests within ±{} nats.",
          r.rules.alpha, r.rules.margin)};
  lines.emplace_back(
      "step time: a training step against the first arm's, in turns, with the quartiles of the "
      "ratio.");
  if (known(r, "excess"))
    lines.emplace_back(
        "excess: loss above the Bayes-optimal one; in brackets, above the best that a window of T "
        "tokens allows.");
  if (const std::string note = looks_note(r.rules); !note.empty()) lines.push_back(note);
  if (!train::Budget::parse(r.budget).fixed_steps())
    lines.emplace_back(
        "A budget of time depends on the machine's speed at the moment: runs do not repeat bit by "
        "bit.");
  lines.push_back("Runs: " + r.store);
  return lines;
}

namespace {

/// What a terminal shows a line in: the heading bold, verdicts in their colours.
std::string_view line_style(const std::vector<std::string>& line, bool heading) {
  if (heading) return kBold;
  if (line.back() == "helps") return "\033[32m";
  return line.back() == "hurts" ? "\033[31m" : "";
}

/// One line a run: what a spreadsheet or R wants.
std::string csv(const Report& r) {
  std::string out = "cell,epochs,unique_tokens,arm,seed,id,status";
  for (const Metric& m : metrics())
    out.append(1, ',').append(m.name == "epochs" ? "run_epochs" : m.name);
  out += "\n";
  for (const CellReport& cell : r.cells)
    for (const ArmReport& arm : cell.arms)
      for (const RunRecord& run : arm.runs) {
        const Json fields = {cell.name,
                             cell.epochs > 0 ? Json(cell.epochs) : Json(nullptr),
                             cell.unique_tokens ? Json(*cell.unique_tokens) : Json(nullptr),
                             arm.name,
                             train::exact(run.seed),
                             run.id,
                             to_string(run.status)};
        std::string line;
        for (const Json& field : fields) line += csv_field(field) + ",";
        for (const Metric& m : metrics())
          line += csv_field(train::or_null(run.value(m.name))) + ",";
        line.back() = '\n';
        out += line;
      }
  return out;
}

}  // namespace

std::string render(const Report& report, const std::string& format, bool color) {
  if (format == "json") return to_json(report).dump(2) + "\n";
  if (format == "csv") return csv(report);
  const bool markdown = format == "md";
  const std::string end = markdown ? "  \n" : "\n";
  std::string out;
  for (const std::string& line : report_header(report)) out += line + end;
  if (!report.final)
    out += "NOT FINAL: some runs are still to come, so there are no verdicts" + end;
  for (const CellReport& cell : report.cells) {
    const Lines table = cell_table(report, cell);
    out += (markdown ? "\n**" : "\n") + cell.title + (markdown ? "**\n\n" : "\n");
    out += markdown ? markdown_table(table) : text_table(table, color ? line_style : nullptr);
  }
  out += "\n";
  for (const std::string& line : report_footnotes(report)) {
    if (markdown && line[0] == '*') out += '\\';  // a footnote's mark, no bullet
    out += line + end;
  }
  return out;
}

std::string render_live(const Report& report) {
  std::string out = fmt::format("Not final: the table so far, of {} paired seeds\n", report.seeds);
  for (const CellReport& cell : report.cells) {
    Lines lines = {{"arm", "val loss", "difference", "seeds", ""}};
    const ArmReport& first = cell.arms.front();
    for (const ArmReport& arm : cell.arms) {
      // Of the seeds that both have, or an arm that is one seed ahead would be held against others.
      std::vector<double> diff;
      for (const RunRecord& a : arm.runs)
        for (const RunRecord& b : first.runs)
          if (a.seed == b.seed && a.ok() && b.ok())
            diff.push_back(a.value("val_loss").value_or(0) - b.value("val_loss").value_or(0));
      lines.push_back({arm.name, mean_sd_of(arm, "val_loss"),
                       &arm == &first ? "–" : signed_number(mean(diff)),
                       std::to_string(arm.runs.size()), ""});
    }
    out += cell.title + "\n" + text_table(lines, nullptr);
  }
  return out;
}

}  // namespace lab
