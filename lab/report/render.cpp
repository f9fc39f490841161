#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/report/report.h"
#include "lab/report/table.h"
#include "lab/study/verdict.h"

namespace lab {
namespace {

std::string number(const Json& j, const char* format = "{:.4f}") {
  return j.is_number() ? fmt::format(fmt::runtime(format), j.get<double>()) : "–";
}

std::string mean_sd(const Json& j) {
  if (!j.is_object() || !j["mean"].is_number()) return "–";
  return number(j["mean"]) + (j["sd"].is_number() ? " ± " + number(j["sd"]) : "");
}

std::string signed_number(const Json& j) { return number(j, "{:+.4f}"); }

/// "1 024 000"
std::string grouped(const Json& j) {
  if (!j.is_number()) return "–";
  std::string digits = fmt::format("{:.0f}", j.get<double>());
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ' ');
  return digits;
}

std::string verdict_text(const Json& arm) {
  std::string text;
  const Json& v = arm["vs_baseline"];
  if (!v.is_null()) {
    text = v["verdict"].get<std::string>();
    if (text == "withheld") text += fmt::format(": {} diverged", arm["diverged"].get<int>());
    if (const Json& more = v["more_seeds"]; more.is_array()) {
      SeedRange range;
      if (more[0].is_number()) range.lo = more[0].get<int>();
      if (more[1].is_number()) range.hi = more[1].get<int>();
      text += ": " + to_string(range) + " more seeds would tell";
    }
  } else if (arm["diverged"].get<int>() > 0) {
    text = fmt::format("{} diverged", arm["diverged"].get<int>());
  } else {
    text = "baseline";
  }
  if (arm["failed"].get<int>() > 0) text += fmt::format("; {} failed", arm["failed"].get<int>());
  return text;
}

Lines cell_table(const Json& report, const Json& cell) {
  const bool bayes = report["corpus"]["bayes_loss_window"].is_number();
  bool equivalents = false, own_epochs = false;
  for (const Json& arm : cell["arms"]) {
    equivalents |= arm["compute_equivalent"].is_object();
    own_epochs |= arm["epochs"] != cell["arms"][0]["epochs"];
  }
  std::vector<std::string> head = {"arm", "val loss", "best*", "train", "gap"};
  if (own_epochs) head.emplace_back("epochs");
  if (bayes) head.emplace_back("excess (window)");
  head.insert(head.end(), {"difference [95 % CI]", "p (Holm)", "step time"});
  if (equivalents) head.emplace_back("worth");
  head.emplace_back("verdict");
  Lines lines = {head};
  for (const Json& arm : cell["arms"]) {
    const Json& v = arm["vs_baseline"];
    std::vector<std::string> line = {arm["name"].get<std::string>(), mean_sd(arm["val_loss"]),
                                     number(arm["best_val_loss"]["mean"]),
                                     number(arm["train_loss"]["mean"]), number(arm["gap"]["mean"])};
    if (own_epochs) line.push_back(number(arm["epochs"], "{:.3g}"));
    if (bayes)
      line.push_back(arm["excess"].is_object() && arm["excess_window"].is_object()
                         ? fmt::format("{} ({})", number(arm["excess"]["mean"]),
                                       number(arm["excess_window"]["mean"]))
                         : "–");
    std::string diff = "–", p = "–";
    if (v.is_object()) {
      diff = signed_number(v["diff"]);
      if (v["ci95"].is_array())
        diff += " [" + signed_number(v["ci95"][0]) + ", " + signed_number(v["ci95"][1]) + "]";
      if (v["p_holm"].is_number())
        p = v["p_holm"].get<double>() < 0.0001 ? "<0.0001" : number(v["p_holm"]);
    }
    line.insert(line.end(), {diff, p, number(arm["step_time_ratio"], "×{:.3f}")});
    if (equivalents)
      line.push_back(arm["compute_equivalent"].is_object()
                         ? arm["compute_equivalent"]["text"].get<std::string>()
                         : "–");
    line.push_back(verdict_text(arm));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string cell_title(const Json& cell) {
  if (!cell["epochs"].is_number()) return "random crops of the whole training split";
  return fmt::format(
      "{} unique tokens, seen {}", grouped(cell["unique_tokens"]),
      cell["epochs"] == 1 ? "once" : fmt::format("{} times", cell["epochs"].get<std::int64_t>()));
}

std::vector<std::string> header(const Json& r) {
  const Json &corpus = r["corpus"], &env = r["environment"], &arm = r["cells"][0]["arms"][0];
  std::vector<std::string> lines;
  std::string first = fmt::format("Equal budget of {} an arm", r["budget"].get<std::string>());
  if (!arm["runs"].empty())
    first += fmt::format(" ({:.3g} TFLOP)", arm["runs"][0]["flops"].get<double>() / 1e12);
  first +=
      fmt::format(", {} paired seeds; losses in nats per token", r["seeds"].get<std::int64_t>());
  lines.push_back(first);
  std::string data = fmt::format(
      "Corpus {}: {} symbols, validated on {} tokens", corpus["name"].get<std::string>(),
      corpus["vocab"].get<std::int64_t>(), grouped(corpus["val_tokens_evaluated"]));
  if (corpus["val_tokens_evaluated"].get<std::int64_t>() + 1 <
      corpus["val_tokens"].get<std::int64_t>())
    data += fmt::format(" of {} (a subset)", grouped(corpus["val_tokens"]));
  if (corpus["bayes_loss"].is_number())
    data += fmt::format("; Bayes-optimal {}, from a window of T {}", number(corpus["bayes_loss"]),
                        number(corpus["bayes_loss_window"]));
  lines.push_back(data);
  lines.push_back(fmt::format("{}, {}, {} threads", env["cpu"].get<std::string>(),
                              env["isa"].get<std::string>(), env["threads"].get<std::int64_t>()));
  return lines;
}

std::vector<std::string> footnotes(const Json& r) {
  std::vector<std::string> lines = {
      "* lowest along the way: optimistic, since the validation split chose it.",
      "A seed varies initial weights, data order, masks and which stretch of the training split is "
      "the "
      "unique data; not the validation split.",
      fmt::format(
          "helps / hurts: Holm's p < {} (paired t, over the whole table); no difference: two "
          "one-sided tests within ±{} nats.",
          r["rules"]["alpha"].get<double>(), r["rules"]["margin"].get<double>())};
  if (r["corpus"]["bayes_loss"].is_number())
    lines.emplace_back(
        "excess: loss above the Bayes-optimal one; in brackets, above the best that a window of T "
        "tokens allows.");
  if (!r["rules"]["note"].get<std::string>().empty())
    lines.push_back(r["rules"]["note"].get<std::string>());
  if (r["budget"].get<std::string>().back() == 's' &&
      r["budget"].get<std::string>().find("step") == std::string::npos &&
      r["budget"].get<std::string>().find("flop") == std::string::npos &&
      r["budget"].get<std::string>().find("epoch") == std::string::npos)
    lines.emplace_back(
        "A budget of time depends on the machine's speed at the moment: runs do not repeat bit by "
        "bit.");
  lines.push_back("Runs: " + r["folder"].get<std::string>());
  return lines;
}

/// What a terminal shows a line in: the heading bold, verdicts in their colours.
std::string_view line_style(const std::vector<std::string>& line, bool heading) {
  if (heading) return kBold;
  if (line.back() == "helps") return "\033[32m";
  return line.back() == "hurts" ? "\033[31m" : "";
}

/// One line a run: what a spreadsheet or R wants.
std::string csv(const Json& r) {
  std::string out =
      "epochs,unique_tokens,arm,seed,status,val_loss,best_val_loss,train_loss,run_epochs,steps,"
      "tokens,"
      "flops,seconds,diverged_at\n";
  for (const Json& cell : r["cells"])
    for (const Json& arm : cell["arms"])
      for (const Json& run : arm["runs"]) {
        out += csv_field(cell["epochs"]) + "," + csv_field(cell["unique_tokens"]) + "," +
               csv_field(arm["name"]);
        for (const char* key : {"seed", "status", "val_loss", "best_val_loss", "train_loss",
                                "epochs", "steps", "tokens", "flops", "seconds", "diverged_at"})
          out.append(1, ',').append(csv_field(run[key]));
        out += "\n";
      }
  return out;
}

}  // namespace

std::string render(const Json& report, const std::string& format, bool color) {
  if (format == "json") return report.dump(2) + "\n";
  if (format == "csv") return csv(report);
  const bool markdown = format == "md";
  std::string out;
  for (const std::string& line : header(report)) out += line + (markdown ? "  \n" : "\n");
  for (const Json& cell : report["cells"]) {
    const Lines table = cell_table(report, cell);
    out += (markdown ? "\n**" : "\n") + cell_title(cell) + (markdown ? "**\n\n" : "\n");
    out += markdown ? markdown_table(table) : text_table(table, color ? line_style : nullptr);
  }
  out += "\n";
  for (const std::string& line : footnotes(report)) {
    if (markdown && line[0] == '*') out += '\\';  // a footnote's mark, no bullet
    out += line + (markdown ? "  \n" : "\n");
  }
  return out;
}

}  // namespace lab
