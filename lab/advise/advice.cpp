// The answer as a sentence, a table and JSON.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/text_table.h"
#include "lab/advise/advising.h"

namespace lab {
namespace {

constexpr std::size_t kShown = 8;  // of what was tried

/// "−0.1234 [−0.1500, −0.0968]"
std::string difference(const Verdict& v) {
  std::string text = base::decimals(v.diff.value_or(0), 4, true);
  if (v.ci)
    text += fmt::format(" [{}, {}]", base::decimals(v.ci->lo, 4, true),
                        base::decimals(v.ci->hi, 4, true));
  return text;
}

std::string how_sure(const Verdict& v) {
  return v.p_holm ? fmt::format(", p {:.2g}", *v.p_holm) : "";
}

bool told(const Verdict& v) { return v.verdict == Outcome::kHelps || v.verdict == Outcome::kHurts; }

/// The judged arm of that name.
const ArmReport& arm_of(const Report& report, const std::string& name) {
  const std::vector<ArmReport>& arms = report.cells.front().arms;
  return *std::find_if(arms.begin(), arms.end(),
                       [&](const ArmReport& arm) { return arm.name == name; });
}

/// Why nothing can be said; empty if something can.
std::string unsaid(const Report& report) {
  const std::vector<ArmReport>& arms = report.cells.front().arms;
  if (report.seeds < report.rules.min_seeds)
    return fmt::format("{} too few to tell, {} are needed: give --seeds {} or more --time",
                       report.seeds == 1 ? "1 seed is" : fmt::format("{} seeds are", report.seeds),
                       report.rules.min_seeds, report.rules.min_seeds);
  const bool lost = std::all_of(arms.begin() + 1, arms.end(), [](const ArmReport& arm) {
    return arm.versus && arm.versus->verdict == Outcome::kWithheld;
  });
  return lost && arms.size() > 1 ? "in every pair of arms runs diverged or learned nothing: lower "
                                   "--lr, or see the table below"
                                 : "";
}

std::string direct_text(const Report& direct) {
  const ArmReport &other = direct.cells.front().arms[0], &mine = direct.cells.front().arms[1];
  if (!mine.versus) return "";
  const Verdict& v = *mine.versus;
  return fmt::format(" {} against {}: {} ({:.6g} %), {}.", mine.name, other.name, difference(v),
                     100 * ci_level(direct.rules),
                     told(v) ? to_string(v.verdict) : "too close to call");
}

Json direct_json(const Report& direct) {
  const Json arm = to_json(direct)["cells"][0]["arms"][1];
  Json json = arm["vs_baseline"];
  if (json.is_object()) json["against"] = direct.cells.front().arms.front().name;
  return json;
}

base::Lines tried_table(const Halving& halving) {
  base::Lines lines = {{"regime", "against none", "val loss", "seeds", ""}};
  for (const Standing& s : halving.standings()) {
    if (lines.size() > kShown) break;
    lines.push_back({halving.all()[s.regime].name,
                     s.against_none ? base::decimals(*s.against_none, 4, true) : "–",
                     s.val_loss ? base::decimals(*s.val_loss, 4) : "lost", std::to_string(s.seeds),
                     ""});
  }
  return lines;
}

}  // namespace

std::vector<Level> judged_arms(const Halving& halving) {
  const std::vector<Regime>& all = halving.all();
  std::vector<Level> arms = {{all[0].name, all[0].set}};
  bool with = false, without = false;
  for (const Standing& s : halving.standings()) {
    const Regime& regime = all[s.regime];
    bool& kind = regime.drops ? with : without;
    if (s.regime == 0 || kind || !s.val_loss) continue;
    kind = true;
    arms.push_back({regime.name, regime.set});
  }
  return arms;
}

const ArmReport& advised(const Report& report) {
  const std::vector<ArmReport>& arms = report.cells.front().arms;
  const auto helps = std::find_if(arms.begin(), arms.end(), [](const ArmReport& arm) {
    return arm.versus && arm.versus->verdict == Outcome::kHelps;
  });
  return helps == arms.end() ? arms.front() : *helps;
}

Advice make_advice(const Report& report, const Report* direct) {
  Advice advice;
  const ArmReport* best = &advised(report);
  if (direct != nullptr) {
    const std::vector<ArmReport>& pair = direct->cells.front().arms;
    if (pair[1].versus && pair[1].versus->verdict == Outcome::kHurts)
      best = &arm_of(report, pair[0].name);
  }
  advice.name = best->name;
  advice.set = best->set;
  advice.plain = !best->versus;
  const std::string split = report.judged == "test_loss" ? "test" : "validation";
  const std::string level =
      fmt::format("{:.6g} %", 100 * ci_level(report.rules, family_of(report)));
  const std::string why = unsaid(report);
  const std::vector<ArmReport>& arms = report.cells.front().arms;
  if (advice.plain && !why.empty())
    advice.sentence = fmt::format("Nothing can be said yet: {}. In tuning {} did best.", why,
                                  arms.size() > 1 ? arms[1].name : arms[0].name);
  else if (advice.plain)
    advice.sentence = fmt::format(
        "Use no regularizer: at {} nothing that was tried is shown to do better.", report.budget);
  else
    advice.sentence = fmt::format(
        "Use {}: at {} its {} loss is lower than that of no regularizer by {:.4f} nats a token "
        "[{:.4f}, {:.4f}] ({} interval, {} fresh seeds{}).",
        best->name, report.budget, split, -best->versus->diff.value_or(0),
        best->versus->ci ? -best->versus->ci->hi : 0, best->versus->ci ? -best->versus->ci->lo : 0,
        level, best->versus->n, how_sure(*best->versus));
  if (direct != nullptr) advice.sentence += direct_text(*direct);
  for (const ArmReport& arm : arms) {
    if (!arm.versus) continue;
    if (!told(*arm.versus) && arm.versus->verdict != Outcome::kWithheld)
      advice.too_close.push_back(arm.name);
    if (&arm != best)
      advice.sentence +=
          fmt::format(" {} against no regularizer: {}{}, {}.", arm.name, difference(*arm.versus),
                      advice.plain ? " (" + level + how_sure(*arm.versus) + ")" : "",
                      to_string(arm.versus->verdict));
  }
  return advice;
}

Json to_json(const Advice& advice, const Report& report, const Report* direct,
             const Halving& halving, const std::string& command) {
  const Json judged = to_json(report);
  Json versus = nullptr;
  for (const Json& arm : judged["cells"][0]["arms"])
    if (arm["name"] == advice.name) versus = arm["vs_baseline"];
  const auto of = [&](const char* key) { return versus.is_object() ? versus[key] : Json(nullptr); };
  Json tried = Json::array();
  for (const Standing& s : halving.standings()) {
    const Regime& regime = halving.all()[s.regime];
    tried.push_back({{"name", regime.name},
                     {"assignments", to_json(regime.set)},
                     {"seeds", s.seeds},
                     {"val_loss", base::or_null(s.val_loss)},
                     {"against_none", base::or_null(s.against_none)}});
  }
  return {{"advice",
           {{"name", advice.name},
            {"assignments", to_json(advice.set)},
            {"budget", report.budget},
            {"diff", of("diff")},
            {"ci", of("ci")},
            {"p_holm", of("p_holm")},
            {"direct", direct != nullptr ? direct_json(*direct) : Json(nullptr)},
            {"too_close", advice.too_close},
            {"sentence", advice.sentence},
            {"command", command}}},
          {"tried", tried},
          {"report", judged}};
}

std::string render_text(const Advice& advice, const Report& report, const Halving& halving,
                        const std::string& command, bool color, std::size_t width) {
  const std::size_t count = halving.all().size();
  std::string out = advice.sentence + "\n\n  " + command + "\n\n";
  out += fmt::format(
      "{} regimes tried at this budget on tuning seeds from {} on; each round keeps the best third "
      "and doubles the seeds{}:\n",
      count, halving.runs().study().base.seed,
      count > kShown ? fmt::format("; the best {}", kShown) : "");
  out += base::text_table(tried_table(halving), nullptr) + "\nJudged on fresh seeds:\n";
  return out + render(report, "text", color, width);
}

}  // namespace lab
