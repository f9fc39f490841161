#include "lab/study/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/error.h"
#include "lab/stats/crossed.h"
#include "lab/stats/permutation.h"

namespace lab {
namespace {

SeedRange more_seeds(const SeedPlan& plan, int n, int min_seeds) {
  const auto more = [&](std::optional<int> half, std::optional<int> nothing) -> std::optional<int> {
    const int sooner = std::min(half.value_or(std::numeric_limits<int>::max()),
                                nothing.value_or(std::numeric_limits<int>::max()));
    if (sooner == std::numeric_limits<int>::max()) return {};
    return std::max({1, sooner - n, min_seeds - n});
  };
  return {more(plan.half.pairs.lo, plan.nothing.pairs.lo),
          more(plan.half.pairs.hi, plan.nothing.pairs.hi)};
}

/// Of the mean difference, for other seeds and, where they share a text, other text.
std::optional<Estimate> estimate_of(const PairedCell& row, const Sample& seeds, Verdict& v) {
  Estimate over_seeds = estimate(seeds);
  v.se_seeds = over_seeds.se;
  if (row.windows.empty()) return over_seeds;
  const auto both = crossed(row.windows, seeds.n);
  if (!both) return over_seeds;
  v.windows = both->windows;
  v.se_seeds = std::sqrt(both->seed_part);
  v.se_windows = std::sqrt(both->window_part);
  // Windows at the end may be shorter than the rest, which the mean over all tokens knows.
  return Estimate{seeds.mean, both->mean.se, both->mean.dof};
}

/// Everything but what depends on the rest of the table.
Verdict describe(const PairedCell& row, const Rules& rules, std::size_t family) {
  Verdict v;
  v.cell = row.cell;
  v.arm = row.arm;
  v.diverged = row.diverged;
  v.failed = row.failed;
  v.untrained = row.untrained;
  v.looks = rules.looks;
  v.margin = row.margin.value_or(rules.margin);
  if (row.first) {
    v.n = static_cast<int>(row.arm_loss.size());
    v.verdict = Outcome::kBaseline;
    return v;
  }
  const std::vector<double> d = differences(row.arm_loss, row.baseline);
  v.n = static_cast<int>(d.size());
  v.diff = mean(d);
  v.sd = sd(d);
  if (row.diverged + row.failed + row.untrained > 0) {
    v.verdict = Outcome::kWithheld;
    return v;
  }
  const auto x = summarize(d);
  if (!x) return v;
  if (const auto e = estimate_of(row, *x, v)) {
    v.estimate = e;
    v.ci = t_interval(*e, 1 - ci_level(rules, family));
    v.p = t_test(*e);
    v.p_equivalent = std::min(1.0, look_factor(rules.looks) * equivalence_test(*e, v.margin));
    v.negligible = v.ci->lo >= -v.margin && v.ci->hi <= v.margin;
  }
  if (v.n <= kShowSignFlips) v.p_signs = sign_flip_test(d);
  return v;
}

Outcome decide(const Verdict& v, const Rules& rules) {
  if (v.n < rules.min_seeds) return Outcome::kCannotTell;
  if (v.p_holm && *v.p_holm < rules.alpha) return *v.diff < 0 ? Outcome::kHelps : Outcome::kHurts;
  if (v.p_equivalent && *v.p_equivalent < rules.alpha) return Outcome::kNoDifference;
  return Outcome::kCannotTell;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBaseline:
      return "baseline";
    case Outcome::kHelps:
      return "helps";
    case Outcome::kHurts:
      return "hurts";
    case Outcome::kNoDifference:
      return "no difference";
    case Outcome::kCannotTell:
      return "inconclusive";
    case Outcome::kWithheld:
      return "withheld";
  }
  return "?";
}

std::string to_string(const SeedRange& range, int max_seeds) {
  if (!range.lo) return fmt::format("over {}", max_seeds);
  if (!range.hi) return fmt::format("{} to over {}", *range.lo, max_seeds);
  if (*range.lo == *range.hi) return fmt::format("{}", *range.lo);
  return fmt::format("{} to {}", *range.lo, *range.hi);
}

double look_factor(int looks) {
  base::require(looks >= 1, "[verdict] looks = ", looks, ": the first look is number 1");
  const double k = looks;
  return looks == 1 ? 1 : k * (k - 1);
}

double ci_level(const Rules& rules, std::size_t family) {
  return 1 - rules.alpha /
                 (look_factor(rules.looks) * std::max<double>(1, static_cast<double>(family)));
}

std::size_t family_of(std::span<const PairedCell> table) {
  return static_cast<std::size_t>(
      std::count_if(table.begin(), table.end(), [](const PairedCell& row) { return !row.first; }));
}

std::string looks_note(const Rules& rules) {
  if (rules.looks <= 1) return "";
  const double factor = look_factor(rules.looks);
  return fmt::format(
      "look {} at this comparison: p values are multiplied by {:.0f} and all intervals together "
      "cover "
      "{:.6g} %, "
      "so that all looks after the first together err with probability at most {:g} "
      "(alpha spending, Lan & DeMets 1983, with Boole's inequality)",
      rules.looks, factor, 100 * ci_level(rules), rules.alpha);
}

std::vector<Verdict> judge(std::span<const PairedCell> table, const Rules& rules) {
  const double factor = look_factor(rules.looks);
  const std::size_t family = family_of(table);
  std::vector<Verdict> out;
  std::vector<std::optional<double>> p;  // of the family, in the table's order
  for (const PairedCell& row : table) {
    out.push_back(describe(row, rules, family));
    if (!row.first) p.push_back(out.back().p);
  }
  for (auto& value : p) {
    if (value) value = std::min(1.0, factor * *value);
  }
  const auto adjusted = holm(p);
  const auto rejected = std::count_if(adjusted.begin(), adjusted.end(), [&](const auto& value) {
    return value && *value < rules.alpha;
  });
  const double next = rules.alpha / look_factor(rules.looks + 1);
  std::size_t member = 0;
  for (Verdict& v : out) {
    if (v.verdict == Outcome::kBaseline) continue;
    v.p_holm = adjusted[member++];
    if (v.verdict == Outcome::kWithheld) continue;
    v.verdict = decide(v, rules);
    if (v.verdict != Outcome::kCannotTell || !v.p || !v.sd || v.n >= rules.max_seeds) continue;
    PlanRules plan;
    plan.margin = v.margin;
    plan.alpha_difference =
        next / std::max(1.0, static_cast<double>(adjusted.size()) - static_cast<double>(rejected));
    plan.alpha_equivalence = next;
    plan.power = rules.power;
    plan.sd_level = rules.sd_level;
    plan.most = rules.max_seeds;
    v.plan = plan_pairs({v.n, *v.diff, *v.sd}, plan);
    v.more_seeds = more_seeds(*v.plan, v.n, rules.min_seeds);
  }
  return out;
}

}  // namespace lab
