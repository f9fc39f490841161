#include "lab/study/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "engine/error.h"
#include "lab/stats/plan.h"

namespace lab {
namespace {

SeedRange more_seeds(const Sample& x, double alpha_difference, double alpha_equivalence,
                     const Rules& rules) {
  const auto more = [&](double sigma) -> std::optional<int> {
    const auto total =
        seeds_to_tell({x.n, x.mean, sigma}, alpha_difference, alpha_equivalence, rules);
    return total ? std::optional(std::max(1, *total - x.n)) : std::nullopt;
  };
  const Interval sigma = sd_interval(x, rules.sd_level);
  return {more(sigma.lo), more(sigma.hi)};
}

/// Everything but what depends on the rest of the table.
Verdict describe(const PairedCell& row, const Rules& rules) {
  Verdict v;
  v.cell = row.cell;
  v.arm = row.arm;
  v.diverged = row.diverged;
  v.failed = row.failed;
  v.looks = rules.looks;
  if (row.first) {
    v.n = static_cast<int>(row.arm_loss.size());
    v.verdict = Outcome::kBaseline;
    return v;
  }
  const std::vector<double> d = differences(row.arm_loss, row.baseline);
  v.n = static_cast<int>(d.size());
  v.diff = mean(d);
  if (row.diverged > 0 || row.failed > 0) {
    v.verdict = Outcome::kWithheld;
    return v;
  }
  if (const auto x = summarize(d)) {
    const double factor = look_factor(rules.looks);
    v.ci95 = t_interval(*x, rules.alpha / factor);
    v.p = t_test(*x);
    v.p_equivalent = std::min(1.0, factor * equivalence_test(*x, rules.margin));
  }
  return v;
}

Outcome decide(const Verdict& v, const Rules& rules) {
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
      return "cannot be told yet";
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
  engine::require(looks >= 1, "[verdict] looks = ", looks, ": the first look is number 1");
  const double k = looks;
  return looks == 1 ? 1 : k * (k - 1);
}

double ci_level(const Rules& rules) { return 1 - rules.alpha / look_factor(rules.looks); }

std::string looks_note(const Rules& rules) {
  if (rules.looks <= 1) return "";
  const double factor = look_factor(rules.looks);
  return fmt::format(
      "look {} at this comparison: p values are multiplied by {:.0f} and intervals cover {:.6g} %, "
      "so that all looks after the first together err with probability at most {:g} "
      "(alpha spending, Lan & DeMets 1983, with Boole's inequality)",
      rules.looks, factor, 100 * ci_level(rules), rules.alpha);
}

std::optional<int> seeds_to_tell(const Sample& x, double alpha_difference, double alpha_equivalence,
                                 const Rules& rules) {
  const auto difference =
      pairs_for_difference(x.mean, x.sd, alpha_difference, rules.power, rules.max_seeds);
  // Equivalence matters only if it needs fewer.
  const auto equivalence = pairs_for_equivalence(x.mean, x.sd, rules.margin, alpha_equivalence,
                                                 rules.power, difference.value_or(rules.max_seeds));
  return equivalence ? equivalence : difference;
}

std::vector<Verdict> judge(std::span<const PairedCell> table, const Rules& rules) {
  const double factor = look_factor(rules.looks);
  std::vector<Verdict> out;
  std::vector<std::optional<double>> p;  // of the family, in the table's order
  for (const PairedCell& row : table) {
    out.push_back(describe(row, rules));
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
    if (v.verdict == Outcome::kCannotTell && v.p) {
      const double left = static_cast<double>(adjusted.size()) - static_cast<double>(rejected);
      const PairedCell& row = table[static_cast<std::size_t>(&v - out.data())];
      const auto x = summarize(differences(row.arm_loss, row.baseline));
      v.more_seeds = more_seeds(*x, next / left, next, rules);
    }
  }
  return out;
}

}  // namespace lab
