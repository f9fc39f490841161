// Seeds crossed with windows, permutation, bootstrap, simultaneous intervals, planning: against
// values made by scripts/golden_studies.py, and by hand. See stats_validation_test.cpp too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "lab/stats/crossed.h"
#include "lab/stats/paired.h"
#include "lab/stats/plan.h"
#include "tests/lab/expect_close.h"
#include "tests/lab/stats_studies_golden.h"
#include "tests/validation/bootstrap.h"

namespace {

using golden::Values;
using lab::Estimate;
using lab::Interval;
using tests::expect_close;

engine::Sequence sequence(std::uint64_t seed) {
  return {engine::stream_key(seed, engine::Stream::kSample), engine::site_id("designs")};
}

void expect_between(const Interval& got, const Values& bounds) {
  EXPECT_GE(got.lo, bounds[0]);
  EXPECT_LE(got.lo, bounds[1]);
  EXPECT_GE(got.hi, bounds[2]);
  EXPECT_LE(got.hi, bounds[3]);
}

TEST(Crossed, MatchesAnalysisOfVariance) {
  for (const golden::Crossed& g : golden::kCrossed) {
    const lab::Crossed got = lab::crossed(g.d, static_cast<int>(g.seeds[0])).value();
    EXPECT_EQ(got.seeds * got.windows, static_cast<int>(g.d.size()));
    EXPECT_EQ(got.seeds, static_cast<int>(g.seeds[0]));
    expect_close(got.var_seed, g.want[0]);
    expect_close(got.var_window, g.want[1]);
    expect_close(got.var_rest, g.want[2]);
    expect_close(got.mean.mean, g.want[3]);
    expect_close(got.mean.se, g.want[4]);
    expect_close(got.mean.dof, g.want[5]);
    const Interval ci = lab::t_interval(got.mean);
    expect_close(ci.lo, g.want[6]);
    expect_close(ci.hi, g.want[7]);
    // The seeds' part is the paired t test's; both parts are all there is.
    expect_close(std::sqrt(got.seed_part), g.want[8]);
    expect_close(got.seed_part + got.window_part, got.mean.se * got.mean.se);
  }
}

TEST(Crossed, LimitsAndErrors) {
  for (const std::size_t windows : {2, 3, 7, 11}) {  // 0.1·33/33 ≠ 0.1 in binary
    const auto same = lab::crossed(Values(3 * windows, 0.1), 3).value();
    EXPECT_EQ(same.mean.mean, 0.1);
    EXPECT_EQ(same.mean.se, 0);
    EXPECT_EQ(same.mean.dof, 2);
  }
  auto random = sequence(1);
  EXPECT_EQ(validation::crossed_bootstrap(Values(6, 0.1), 2, 99, random), (Interval{0.1, 0.1}));
  EXPECT_FALSE(lab::crossed(Values{1, 2, 3}, 1).has_value());
  EXPECT_FALSE(lab::crossed(Values{1, 2, 3}, 3).has_value());  // one window
  EXPECT_FALSE(lab::crossed(Values{1, 2, 3, std::nan("")}, 2).has_value());
  EXPECT_THROW(lab::crossed(Values{1, 2, 3}, 2), base::Error);
  EXPECT_THROW(lab::crossed(Values{}, 0), base::Error);
  EXPECT_THROW(lab::crossed(Values{1, 2}, -1), base::Error);
}

TEST(Crossed, BootstrapMatchesResampledIndices) {
  for (const auto& g : golden::kCrossedBootstrap) {
    const int seeds = static_cast<int>(g.seeds[0]);
    auto random = sequence(2), again = sequence(2);
    const auto got = validation::crossed_bootstrap(g.d, seeds, 40000, random).value();
    expect_between(got, g.want);
    EXPECT_EQ(validation::crossed_bootstrap(g.d, seeds, 40000, again), got);
  }
  // Of 2 × 2 many a resample is a single number; those have no t.
  auto random = sequence(6);
  const auto small = validation::crossed_bootstrap(Values{1, 2, 4, 9}, 2, 999, random).value();
  EXPECT_TRUE(std::isfinite(small.lo) && std::isfinite(small.hi));
}

TEST(SignFlip, MatchesScipy) {
  for (const golden::SignFlip& g : golden::kSignFlip)
    EXPECT_DOUBLE_EQ(lab::sign_flip_test(g.d).value(), g.p[0]);
}

TEST(SignFlip, ByHand) {
  EXPECT_EQ(lab::sign_flip_test(Values{0.3}), 1);
  EXPECT_EQ(lab::sign_flip_test(Values{1, 2, 3, 4}), 0.125);  // 2 of 16
  EXPECT_EQ(lab::sign_flip_test(Values{0, 0, 0}), 1);
  EXPECT_EQ(lab::sign_flip_test(Values{0.1, 0.2, -0.3}), 1);  // a sum of 0 but for rounding
  EXPECT_EQ(lab::sign_flip_test(Values{0.1, 0.2, 0.3, -0.3}), 0.75);
  EXPECT_EQ(lab::sign_flip_test(Values(20, 1.0)), std::ldexp(1.0, -19));
  EXPECT_FALSE(lab::sign_flip_test(Values(21, 1.0)).has_value());
  EXPECT_FALSE(lab::sign_flip_test(Values{}).has_value());
}

TEST(Bootstrap, StudentizedMatchesAllResamples) {
  const auto& g = golden::kBootstrapT.at(0);
  auto random = sequence(3);
  expect_between(validation::bootstrap_t(g.x, 60000, random), g.want);
  EXPECT_EQ(validation::bootstrap_t(Values{2, 2, 2}, 99, random), (Interval{2, 2}));
  EXPECT_THROW(validation::bootstrap_t(Values{1, 2}, 99, random), base::Error);
}

// Three units: each of the 27 resamples is as likely as any other.
TEST(Bootstrap, DrawsEveryResample) {
  constexpr int kDraws = 27000;
  auto random = sequence(4);
  const auto values =
      validation::bootstrap(3, kDraws, random, [](std::span<const std::size_t> drawn) {
        return static_cast<double>(drawn[0] + 3 * drawn[1] + 9 * drawn[2]);
      });
  ASSERT_EQ(values.size(), std::size_t{kDraws});
  EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
  for (int code = 0; code < 27; ++code)
    EXPECT_NEAR(static_cast<double>(std::count(values.begin(), values.end(), code)), 1000, 140);
  const auto none = validation::bootstrap(3, 10, random, [](auto) { return std::nan(""); });
  EXPECT_TRUE(none.empty());
  EXPECT_THROW(validation::bootstrap(0, 10, random, [](auto) { return 0.0; }), base::Error);
}

TEST(Bootstrap, PercentilesCountFromBothEnds) {
  Values sorted(99);
  for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i] = static_cast<double>(i + 1);
  EXPECT_EQ(validation::percentile_interval(sorted, 0.1), (Interval{5, 95}));
  EXPECT_EQ(validation::percentile_interval(sorted, 0.05), (Interval{2, 98}));
  sorted[0] = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(validation::percentile_interval(sorted, 0.02).lo, sorted[0]);
  EXPECT_THROW(validation::percentile_interval(sorted, 0.019), base::Error);
  EXPECT_EQ(validation::studentized_interval(10, 2, sorted, 0.1), (Interval{10 - 190, 10 - 10}));
}

TEST(Simultaneous, BonferroniOverAllArms) {
  const std::vector<std::optional<Estimate>> arms = {Estimate{0.1, 0.02, 7}, std::nullopt,
                                                     Estimate{-0.3, 0.1, 4.5}, Estimate{0.2, 0, 3}};
  const auto got = lab::simultaneous_intervals(arms, 0.08);
  ASSERT_EQ(got.size(), arms.size());
  EXPECT_FALSE(got[1].has_value());
  EXPECT_EQ(got[0], lab::t_interval(*arms[0], 0.02));
  EXPECT_EQ(got[2], lab::t_interval(*arms[2], 0.02));
  EXPECT_EQ(got[3], (Interval{0.2, 0.2}));
}

// An interval that excludes 0 belongs to an arm that Holm rejects.
TEST(Simultaneous, AgreesWithHolm) {
  int excluded = 0, rejected = 0;
  auto random = sequence(5);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::optional<Estimate>> arms;
    std::vector<std::optional<double>> p;
    for (int arm = 0; arm < 4; ++arm) {
      arms.push_back(Estimate{random.uniform() * 12 - 6, 1, 7});
      p.push_back(lab::t_test(*arms.back()));
    }
    const auto intervals = lab::simultaneous_intervals(arms);
    const auto adjusted = lab::holm(p);
    for (std::size_t i = 0; i < arms.size(); ++i) {
      const bool out = intervals[i]->lo > 0 || intervals[i]->hi < 0;
      EXPECT_TRUE(!out || *adjusted[i] < 0.05);
      excluded += out;
      rejected += *adjusted[i] < 0.05;
    }
  }
  EXPECT_GT(excluded, 20);
  EXPECT_GE(rejected, excluded);
}

TEST(Plan, MatchesStatsmodels) {
  for (const golden::Pairs& g : golden::kPairs) {
    const auto n = lab::pairs_for_difference(g.plan[0], g.plan[1], g.plan[2], 0.8, 1000);
    EXPECT_EQ(n, static_cast<int>(g.n[0]));
    EXPECT_FALSE(lab::pairs_for_difference(g.plan[0], g.plan[1], g.plan[2], 0.8, *n - 1));
  }
  EXPECT_EQ(lab::pairs_for_difference(0.01, 0, 0.05, 0.8, 100), 2);
  EXPECT_FALSE(lab::pairs_for_difference(0, 0.01, 0.05, 0.8, 100).has_value());
  const int n = lab::pairs_for_equivalence(0.001, 0.01, 0.01, 0.05, 0.8, 1000).value();
  EXPECT_GE(lab::equivalence_power({n, 0.001, 0.01}, 0.01, 0.05), 0.8);
  EXPECT_LT(lab::equivalence_power({n - 1, 0.001, 0.01}, 0.01, 0.05), 0.8);
}

TEST(Plan, DoesNotBelieveTheObservedMean) {
  const lab::PlanRules rules{.margin = 0.01, .alpha_difference = 0.025, .alpha_equivalence = 0.04};
  const lab::Sample x{8, -0.03, 0.02};
  const lab::SeedPlan plan = lab::plan_pairs(x, rules);
  EXPECT_EQ(plan.sd, lab::sd_interval(x, 0.8));
  EXPECT_EQ(plan.margin.effect, 0.01);
  EXPECT_EQ(plan.half.effect, 0.015);
  EXPECT_EQ(plan.nothing.effect, 0);
  for (const lab::EffectPlan& e : {plan.margin, plan.half}) {
    EXPECT_EQ(e.pairs.lo, lab::pairs_for_difference(e.effect, plan.sd.lo, 0.025, 0.8, 1000));
    EXPECT_EQ(e.pairs.hi, lab::pairs_for_difference(e.effect, plan.sd.hi, 0.025, 0.8, 1000));
    EXPECT_EQ(e.power.lo, lab::t_test_power({8, e.effect, plan.sd.hi}, 0.025));
    EXPECT_EQ(e.power.hi, lab::t_test_power({8, e.effect, plan.sd.lo}, 0.025));
  }
  EXPECT_EQ(plan.nothing.pairs.lo,
            lab::pairs_for_equivalence(0, plan.sd.lo, 0.01, 0.04, 0.8, 1000));
  EXPECT_EQ(plan.nothing.pairs.hi,
            lab::pairs_for_equivalence(0, plan.sd.hi, 0.01, 0.04, 0.8, 1000));
  EXPECT_EQ(plan.nothing.power.lo, lab::equivalence_power({8, 0, plan.sd.hi}, 0.01, 0.04));
  EXPECT_EQ(plan.nothing.power.hi, lab::equivalence_power({8, 0, plan.sd.lo}, 0.01, 0.04));
  EXPECT_THROW(lab::plan_pairs({1, 0, 0}, rules), base::Error);
}

}  // namespace
