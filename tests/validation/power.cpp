// How often a true effect is found, beside what the formulas promise.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/stats/crossed.h"
#include "lab/stats/paired.h"
#include "lab/stats/plan.h"
#include "tests/validation/checks.h"

namespace validation {
namespace {

using lab::Rules;
using Values = std::vector<double>;

const double kRoot2 = std::sqrt(2.0);  // sd of a difference whose two arms have 1

lab::Interval around(double p) { return {p - 0.005, std::min(1.0, p + 0.005)}; }

/// The verdict on the first of `arms` arms, with `effect` sd of the difference.
lab::Outcome verdict(double effect, std::size_t arms, int seeds, const Rules& rules, Normals& r) {
  Values effects(arms, 0);
  effects[0] = effect * kRoot2;
  return lab::judge(table(effects, {}, Text::kOwn, seeds, 1, r), rules)[0].verdict;
}

}  // namespace

std::vector<Check> power() {
  const std::string group = "Power (effects in standard deviations of the paired difference)";
  std::vector<Check> out;
  const auto add = [&](std::string name, std::optional<lab::Interval> wanted, auto trial) {
    out.push_back({group, std::move(name), wanted, trial});
  };
  const Rules finds{.margin = 1e-9, .max_seeds = 2};
  for (const int seeds : {8, 20}) {
    for (const double effect : {0.5, 1.0, 1.5}) {
      const double expected = lab::t_test_power({seeds, effect, 1}, 0.05);
      add(fmt::format("\"helps\" at −{:g}, {} seeds: {:.1f} by formula", effect, seeds,
                      100 * expected),
          around(expected),
          [=](Normals& r) { return verdict(-effect, 1, seeds, finds, r) == lab::Outcome::kHelps; });
    }
  }
  add("\"helps\" at −1, one of 8 arms, 8 seeds", std::nullopt,
      [=](Normals& r) { return verdict(-1, 8, 8, finds, r) == lab::Outcome::kHelps; });
  add("\"hurts\" at −0.5, 8 seeds: the wrong way round", lab::Interval{0, 0.002},
      [=](Normals& r) { return verdict(-0.5, 1, 8, finds, r) == lab::Outcome::kHurts; });
  for (const int seeds : {8, 20}) {
    const double expected = lab::equivalence_power({seeds, 0, 1}, 1, 0.05);
    add(fmt::format("within ±1 by two one-sided tests at 0, {} seeds: {:.1f} by formula", seeds,
                    100 * expected),
        around(expected), [=](Normals& r) {
          return lab::equivalence_test(*lab::summarize(r.values(seeds, 0, 1)), 1) < 0.05;
        });
  }
  add("sign flips at 1, 8 seeds", std::nullopt,
      [](Normals& r) { return *lab::sign_flip_test(r.values(8, 1, 1)) < 0.05; });
  add("seeds × windows, 8 × 64, effect 1.5 sd of a seed, windows and rest 2", std::nullopt,
      [](Normals& r) {
        const auto d = differences(1.5, {1, 2, 2}, 8, 64, r);
        return lab::t_test(lab::crossed(d, 8)->mean) < 0.05;
      });
  // Planned from 8 seeds: the total asked for, if σ is at the upper end of its interval, finds an
  // effect of the margin's size with 80 % or more in at least 90 % of the plans.
  add("plan from 8 seeds for the margin is long enough (80 % interval of σ)",
      lab::Interval{0.88, 1}, [](Normals& r) {
        lab::PlanRules rules;
        rules.margin = 1;
        const auto plan = lab::plan_pairs(*lab::summarize(r.values(8, 0.3, 1)), rules);
        return lab::t_test_power({plan.margin.pairs.hi.value(), 1, 1}, 0.05) >= 0.8;
      });
  return out;
}

}  // namespace validation
