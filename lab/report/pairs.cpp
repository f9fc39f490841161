#include "lab/report/pairs.h"

#include <fmt/format.h>

#include "base/text.h"
#include "lab/report/by_seed.h"
#include "lab/stats/stats.h"

namespace lab {

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
      "Mean over seeds of the {} loss with the arm less that with the first one; shaded: {}, which "
      "counts as no difference.",
      report.judged == "test_loss" ? "test" : "validation",
      report.own_margin ? fmt::format("within ±{} nats", report.rules.margin)
                        : "as much as another seed changes the first arm");
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
