// The notes below the table of a cell.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "lab/report/render.h"

namespace lab {
namespace {

std::string estimate_text(const Estimate& e, double alpha) {
  const Interval ci = t_interval(e, alpha);
  return fmt::format("{} [{}, {}]", loss_text(e.mean, true), loss_text(ci.lo, true),
                     loss_text(ci.hi, true));
}

/// "the smallest lr tried won; a smaller one may be better": of a choice at an edge of its grid.
std::string edge_text(const Tuned& t) {
  for (const auto& [name, text] : t.set()) {
    double chosen = 0;
    if (base::parse_number(text, chosen) != std::errc{}) continue;
    std::set<double> tried;
    for (const Trial& trial : t.trials)
      for (const auto& [other, value] : trial.set) {
        double x = 0;
        if (other == name && base::parse_number(value, x) == std::errc{}) tried.insert(x);
      }
    if (tried.size() < 2) continue;
    if (chosen == *tried.begin())
      return fmt::format("the smallest {} tried won; a smaller one may be better", name);
    if (chosen == *tried.rbegin())
      return fmt::format("the largest {} tried won; a larger one may be better", name);
  }
  return "a value at the end of its list won; values beyond it may be better";
}

void note_tuning(std::vector<CellNote>& notes, const ArmReport& arm) {
  if (!arm.tuned) return;
  const Tuned& t = *arm.tuned;
  std::int64_t runs = 0;
  for (const Trial& trial : t.trials) runs += trial.runs;
  std::string text =
      fmt::format("{}: {} is the best of {} ({}, {})", arm.name, to_text(t.set()),
                  base::counted(t.trials.size(), "setting"),
                  base::counted(static_cast<std::uint64_t>(runs), "run"), flop_text(t.flops));
  if (t.extended > 0) text += fmt::format("; {} of them beyond the given values", t.extended);
  if (t.edge) text += "; " + edge_text(t);
  notes.push_back({text, t.edge});
}

/// Runs that spent less than the budget that all are compared at.
void note_patience(std::vector<CellNote>& notes, const ArmReport& arm) {
  std::size_t early = 0;
  double spent = 0;
  for (const RecordPtr& run : arm.runs)
    if (const auto share = run->value("budget_spent")) ++early, spent += *share;
  if (early > 0)
    notes.push_back(
        {fmt::format("{}: NOT AT EQUAL COMPUTE: patience ended {} of {}, after {:.0f} % "
                     "of the budget on average",
                     arm.name, early, base::counted(arm.runs.size(), "run"),
                     100 * spent / static_cast<double>(early)),
         true, true});
}

void note_lost(std::vector<CellNote>& notes, const ArmReport& arm) {
  std::string lost;
  const auto add = [&](int count, const char* what) {
    if (count > 0) lost += fmt::format("{}{} {}", lost.empty() ? "" : ", ", count, what);
  };
  add(arm.diverged, "diverged");
  add(arm.untrained, "learned nothing (training loss above its first value or a uniform guess)");
  add(arm.failed, "failed");
  if (!lost.empty())
    notes.push_back({fmt::format("{}: lost runs: {}", arm.name, lost), true, true});
  if (const std::size_t n = arm.missing.size(); n > 0)
    notes.push_back({fmt::format("{}: {} not done yet", arm.name,
                                 base::counted(n, "run") + (n == 1 ? " is" : " are")),
                     true, true});
  if (const std::size_t n = arm.broken_curves.size(); n > 0)
    notes.push_back({fmt::format("{}: {} left out of the charts: {}", arm.name,
                                 n == 1 ? "1 curve is" : fmt::format("{} curves are", n),
                                 arm.broken_curves.front()),
                     false});
}

/// What the verdict has to add: why there is none, or what it would take.
void note_verdict(std::vector<CellNote>& notes, const Report& report, const ArmReport& arm) {
  const Verdict& v = *arm.versus;
  if (v.verdict == Outcome::kWithheld)
    notes.push_back({fmt::format("{}: no verdict, because {} of the pairs lost a run", arm.name,
                                 v.diverged + v.failed + v.untrained),
                     true, true});
  if (v.verdict == Outcome::kNoDifference)
    notes.push_back({fmt::format("{}: {} ±{} nats", arm.name,
                                 v.negligible ? "negligible: the whole interval lies within"
                                              : "the difference lies within",
                                 loss_text(v.margin)),
                     false});
  const bool too_few = v.verdict == Outcome::kCannotTell && v.n < report.rules.min_seeds;
  if (too_few)
    notes.push_back({fmt::format("{}: {} too few for a verdict; give --seeds {}", arm.name,
                                 v.n == 1 ? "1 seed is" : fmt::format("{} seeds are", v.n),
                                 report.rules.min_seeds),
                     true});
  if (v.plan && v.more_seeds) {
    const auto power = [](const EffectPlan& plan) {
      return fmt::format("{:.0f} to {:.0f} %", 100 * plan.power.lo, 100 * plan.power.hi);
    };
    const bool text_limits = v.se_windows && v.se_seeds && *v.se_windows > *v.se_seeds;
    const std::string more = to_string(*v.more_seeds);
    notes.push_back(
        {fmt::format(
             "{}: detecting an effect half this size, or that there is none, takes {} more "
             "seed{} (power now: {} for an effect of the margin, {} for half){}",
             arm.name, more, more == "1" ? "" : "s", power(v.plan->margin), power(v.plan->half),
             text_limits ? "; most of the uncertainty is in the test text: give a longer one" : ""),
         !too_few});
  }
  if (v.p_signs)
    notes.push_back(
        {fmt::format("{}: p {} by a t test, {} by sign flips{}", arm.name, p_text(v.p),
                     p_text(v.p_signs),
                     v.se_windows ? fmt::format("; standard error {:.4f} nats over seeds, {:.4f} "
                                                "over the text's {} windows",
                                                *v.se_seeds, *v.se_windows, v.windows)
                                  : ""),
         false});
}

void note_shares(std::vector<CellNote>& notes, const ArmReport& arm, double alpha) {
  std::string at;
  for (const ShareReport& share : arm.shares)
    if (share.diff)
      at += fmt::format("{}{} × {}", at.empty() ? "" : ", ", share.share,
                        estimate_text(*share.diff, alpha));
  if (!at.empty())
    notes.push_back(
        {fmt::format("{}: difference at each share of the budget, in nats: {}", arm.name, at),
         false});
  if (arm.trend) {
    const Interval ci = t_interval(*arm.trend, alpha);
    notes.push_back(
        {fmt::format("{}: the difference changes by {} nats per doubling of the budget: {}",
                     arm.name, estimate_text(*arm.trend, alpha),
                     ci.hi < 0   ? "the arm gains with compute"
                     : ci.lo > 0 ? "the arm loses with compute"
                                 : "no clear trend"),
         false});
  }
  if (arm.at_equal_seconds)
    notes.push_back(
        {fmt::format("{}: the difference at equal time instead of equal FLOPs is {} nats", arm.name,
                     estimate_text(*arm.at_equal_seconds, alpha)),
         false});
}

}  // namespace

std::vector<CellNote> cell_notes(const Report& report, const CellReport& cell) {
  std::vector<CellNote> notes;
  for (const ArmReport& arm : cell.arms) {
    note_lost(notes, arm);
    note_tuning(notes, arm);
    note_patience(notes, arm);
    const auto uniform = spread(arm, "uniform_loss").mean, val = spread(arm, "val_loss").mean;
    if (uniform && val && *val > *uniform)
      notes.push_back({fmt::format("{}: overfitted: its validation loss of {} is above that of a "
                                   "uniform guess, {}: {}",
                                   arm.name, loss_text(val), loss_text(uniform),
                                   &arm == cell.arms.data() ? "a baseline that nobody would use"
                                                            : "stop earlier or regularize more"),
                       true});
    if (arm.versus) note_verdict(notes, report, arm);
    note_shares(notes, arm, report.rules.alpha);
  }
  return notes;
}

std::string worth_text(const ArmReport& arm) {
  if (!arm.equivalent) return "–";
  std::string text = to_string(*arm.equivalent);
  if (arm.equivalent_ci)
    text += fmt::format(" [{}, {}]", to_string(arm.equivalent_ci->lo),
                        to_string(arm.equivalent_ci->hi));
  return text;
}

}  // namespace lab
