// What the statistics promise, held against simulated comparisons with fixed seeds. Bounds are four
// standard errors of the simulated rate.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "lab/stats/stats.h"
#include "lab/study/verdict.h"
#include "tests/validation/model.h"

namespace {

using lab::Outcome;
using lab::PairedCell;
using lab::Rules;
using lab::Sample;
using lab::Verdict;
using Values = std::vector<double>;

class Normals : public validation::Normals {
 public:
  using validation::Normals::Normals;
  Sample sample(int n, double mean, double sd) {
    return lab::summarize(values(n, mean, sd)).value();
  }
};

/// Standard error of a rate around p after n trials.
double rate_error(double p, int n) { return std::sqrt(p * (1 - p) / n); }

TEST(StatsSimulation, IntervalCoversAndTestErrsAsTheySay) {
  constexpr int kTrials = 20000;
  for (const int n : {2, 5}) {
    Normals normals(static_cast<std::uint64_t>(n));
    int covered = 0, covered_wide = 0, false_alarms = 0;
    for (int i = 0; i < kTrials; ++i) {
      const Sample x = normals.sample(n, 0.3, 2);
      const lab::Interval ci = lab::t_interval(x), wide = lab::t_interval(x, 0.01);
      covered += ci.lo <= 0.3 && 0.3 <= ci.hi;
      covered_wide += wide.lo <= 0.3 && 0.3 <= wide.hi;
      false_alarms += lab::t_test(lab::Sample{x.n, x.mean - 0.3, x.sd}) < 0.05;
    }
    EXPECT_NEAR(covered, 0.95 * kTrials, 4 * rate_error(0.95, kTrials) * kTrials);
    EXPECT_NEAR(covered_wide, 0.99 * kTrials, 4 * rate_error(0.99, kTrials) * kTrials);
    EXPECT_EQ(false_alarms, kTrials - covered);  // the test is the interval, inverted
  }
}

// On the edge of the margin "equivalent" is wrong in at most 5 %, and in nearly 5 % if sd is small.
TEST(StatsSimulation, EquivalenceErrsAtMostAlpha) {
  constexpr int kTrials = 20000;
  const double slack = 4 * rate_error(0.05, kTrials);
  for (const double sd : {0.002, 0.01, 0.03}) {
    Normals normals(7);
    int wrong = 0;
    for (int i = 0; i < kTrials; ++i) {
      wrong += lab::equivalence_test(normals.sample(5, 0.01, sd), 0.01) < 0.05;
    }
    const double rate = static_cast<double>(wrong) / kTrials;
    EXPECT_LE(rate, 0.05 + slack);
    if (sd == 0.002) {
      EXPECT_GE(rate, 0.05 - slack);
    }
  }
}

TEST(StatsSimulation, SdIntervalCovers) {
  constexpr int kTrials = 5000;
  Normals normals(11);
  int covered = 0;
  for (int i = 0; i < kTrials; ++i) {
    const lab::Interval sigma = lab::sd_interval(normals.sample(5, 0, 3), 0.8);
    covered += sigma.lo <= 3 && 3 <= sigma.hi;
  }
  EXPECT_NEAR(covered, 0.8 * kTrials, 4 * rate_error(0.8, kTrials) * kTrials);
}

// With the true difference given, the range holds the true number in at least 80 % of pilots.
TEST(VerdictSimulation, RangeHoldsTheTruth) {
  constexpr int kTrials = 600;
  const double diff = 0.02, sd = 0.03;
  const int truth = lab::pairs_for_difference(diff / 2, sd, 0.025, 0.8, 1000).value();
  ASSERT_GT(lab::pairs_for_equivalence(0, sd, 0.01, 0.025, 0.8, 1000).value(), truth);
  Normals normals(3);
  int asked = 0, held = 0;
  for (int i = 0; i < kTrials; ++i) {
    Values d = normals.values(5, diff, sd);
    const double shift = diff - lab::mean(d).value();
    for (double& v : d) v += shift;
    const Verdict v =
        lab::judge(std::vector{PairedCell{"1", "arm", Values(5, 0), d, 0, false}}).at(0);
    if (!v.more_seeds) continue;  // told already
    ++asked;
    held += *v.more_seeds->lo + 5 <= truth && (!v.more_seeds->hi || truth <= *v.more_seeds->hi + 5);
  }
  ASSERT_GT(asked, kTrials / 2);
  // Pilots with a small sd are told and not asked, so those that are hold it in 80 to 95 %.
  EXPECT_GE(held, (0.8 - 4 * rate_error(0.8, asked)) * asked);
  EXPECT_LE(held, 0.97 * asked);
}

TEST(VerdictSimulation, SuggestedSeedsHavePower) {
  constexpr int kTrials = 4000;
  struct Case {
    double diff, sd;
  };
  for (const Case c : {Case{0.04, 0.03}, Case{0.0, 0.008}, Case{-0.003, 0.01}}) {
    const int n = (c.diff == 0.04 ? lab::pairs_for_difference(c.diff, c.sd, 0.05, 0.8, 1000)
                                  : lab::pairs_for_equivalence(c.diff, c.sd, 0.01, 0.05, 0.8, 1000))
                      .value();
    Normals normals(5);
    int told = 0;
    for (int i = 0; i < kTrials; ++i) {
      const auto x = lab::summarize(normals.values(n, c.diff, c.sd)).value();
      told += c.diff == 0.04 ? lab::t_test(x) < 0.05 : lab::equivalence_test(x, 0.01) < 0.05;
    }
    const double rate = static_cast<double>(told) / kTrials;
    EXPECT_GE(rate, 0.8 - 4 * rate_error(0.8, kTrials)) << c.diff << ' ' << n;
    EXPECT_LE(rate, 0.9) << c.diff << ' ' << n;  // n is whole, so a step above 0.8
  }
}

// Two cells, three arms each, that share the first arm's losses: false alarms anywhere in the
// table.
TEST(VerdictSimulation, FalseAlarmsOverTheTable) {
  constexpr int kTrials = 2000;
  const Rules rules{.margin = 1e-9, .max_seeds = 2};  // no search for more seeds
  Normals normals(17);
  int alone = 0, anywhere = 0;
  for (int i = 0; i < kTrials; ++i) {
    std::vector<PairedCell> table;
    for (const char* cell : {"1", "32"}) {
      const Values first = normals.values(5, 2, 0.02);
      for (const char* arm : {"a", "b", "c"}) {
        table.push_back({cell, arm, first, normals.values(5, 2, 0.02), 0, false});
      }
    }
    const auto wrong = [](const Verdict& v) {
      return v.verdict == Outcome::kHelps || v.verdict == Outcome::kHurts;
    };
    const auto out = lab::judge(table, rules);
    anywhere += std::any_of(out.begin(), out.end(), wrong);
    alone += wrong(lab::judge(std::span(table).first(1), rules).at(0));
  }
  const double slack = 4 * rate_error(0.05, kTrials) * kTrials;
  EXPECT_NEAR(alone, 0.05 * kTrials, slack);
  EXPECT_LE(anywhere, 0.05 * kTrials + slack);
  EXPECT_GE(anywhere, 0.02 * kTrials);  // and Holm isn't idle
}

// Someone adds a seed after every unclear look, from 3 to 30 seeds.
TEST(VerdictSimulation, LooksAreBounded) {
  constexpr int kTrials = 3000;
  int plain = 0, corrected = 0, later = 0;
  Normals normals(23);
  for (int i = 0; i < kTrials; ++i) {
    const Values d = normals.values(30, 0, 1);
    bool plain_hit = false, hit = false, later_hit = false;
    for (std::size_t n = 3; n <= d.size(); ++n) {
      const int look = static_cast<int>(n) - 2;
      const double p = lab::t_test(lab::summarize(std::span(d).first(n)).value());
      plain_hit |= p < 0.05;
      const bool now = p * lab::look_factor(look) < 0.05;
      hit |= now;
      later_hit |= now && look > 1;
    }
    plain += plain_hit;
    corrected += hit;
    later += later_hit;
  }
  const double slack = 4 * rate_error(0.05, kTrials) * kTrials;
  EXPECT_GT(plain, 0.2 * kTrials);  // uncorrected, one in four or five cries wolf
  EXPECT_LE(later, 0.05 * kTrials + slack);
  EXPECT_LE(corrected, 0.1 * kTrials);
  EXPECT_GE(corrected, 0.05 * kTrials - slack);  // the first look alone has 0.05
}

}  // namespace
