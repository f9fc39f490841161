// Statistics against values made by scipy (scripts/golden_stats.py); see stats_simulation_test.cpp
// too.
#include "lab/stats/stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "tests/lab/expect_close.h"
#include "tests/lab/stats_golden.h"

namespace {

using lab::Sample;
using Values = std::vector<double>;

/// p values may be tiny.
void expect_tiny(double got, double want) { tests::expect_close(got, want, 1e-9, 1e-22); }

TEST(Stats, MatchesScipy) {
  for (const StatsGoldenTest& g : kStatsGoldenTests) {
    const Sample x = lab::summarize(g.x).value();
    EXPECT_EQ(x.n, static_cast<int>(g.x.size()));
    expect_tiny(x.mean, g.mean);
    expect_tiny(x.sd, g.sd);
    const lab::Interval ci = lab::t_interval(x, g.alpha);
    expect_tiny(ci.lo, g.lo);
    expect_tiny(ci.hi, g.hi);
    expect_tiny(lab::t_test(x), g.p);
    expect_tiny(lab::equivalence_test(x, kStatsGoldenMargin), g.p_equivalent);
    const lab::Interval sigma = lab::sd_interval(x, 0.8);
    expect_tiny(sigma.lo, g.sd_lo80);
    expect_tiny(sigma.hi, g.sd_hi80);
  }
}

TEST(Stats, PowersMatchIntegrals) {
  for (const StatsGoldenPower& g : kStatsGoldenPowers) {
    const Sample x{g.n, g.diff, g.sd}, mirrored{g.n, -g.diff, g.sd};
    EXPECT_NEAR(lab::t_test_power(x, g.alpha), g.difference, 1e-8);
    EXPECT_NEAR(lab::equivalence_power(x, g.margin, g.alpha), g.equivalence, 1e-7);
    EXPECT_NEAR(lab::t_test_power(mirrored, g.alpha), g.difference, 1e-8);
    EXPECT_NEAR(lab::equivalence_power(mirrored, g.margin, g.alpha), g.equivalence, 1e-7);
  }
}

// Where the noncentral t is replaced by its limit, nothing may jump.
TEST(Stats, PowerIsSmoothFarOut) {
  for (const int n : {2, 3, 5, 20}) {
    for (const double alpha : {0.05, 1e-3, 1e-6}) {
      const auto power = [&](double ncp) {
        return lab::t_test_power({n, ncp / std::sqrt(n), 1}, alpha);
      };
      const double before = power(100 - 1e-9), after = power(100 + 1e-9);
      EXPECT_NEAR(after, before, 2e-3 * before) << n << ' ' << alpha;
    }
  }
  EXPECT_EQ(lab::t_test_power({5, 1, 1e-320}, 0.05), 1);
}

TEST(Stats, PowerGrowsWithSeeds) {
  for (const double diff : {0.0, 0.2, 0.9, 3.0}) {
    for (const double alpha : {0.05, 0.003}) {
      double difference = 0, equivalence = 0;
      for (int n = 2; n <= 200; n += n < 20 ? 1 : 9) {
        const double d = lab::t_test_power({n, diff, 1}, alpha);
        const double e = lab::equivalence_power({n, diff, 1}, 1, alpha);
        EXPECT_GE(d, difference - 1e-9) << n << ' ' << diff;
        EXPECT_TRUE(e >= equivalence - 1e-7 || e < 0.05) << n << ' ' << diff << ' ' << e;
        difference = d;
        equivalence = e;
      }
      EXPECT_NEAR(difference, diff == 0 ? alpha : 1, diff == 0.2 ? 1 : 1e-6);
    }
  }
}

// By hand: 4 · 0.005, 3 · 0.01, 2 · 0.03, then 0.04, which may not be below its predecessor.
TEST(Stats, HolmIsMonotoneAndInOrder) {
  const auto holm = [](std::vector<std::optional<double>> p) { return lab::holm(p); };
  const auto a = holm({0.01, 0.04, 0.03, 0.005});
  const Values want = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_DOUBLE_EQ(a[i].value(), want[i]);
  const auto b = holm({0.3, 0.02, 0.5});
  EXPECT_DOUBLE_EQ(b[0].value(), 0.6);
  EXPECT_DOUBLE_EQ(b[1].value(), 0.06);
  EXPECT_DOUBLE_EQ(b[2].value(), 0.6);
  // An unknown p counts in the family and stays unknown.
  const auto c = holm({std::nullopt, 0.02, 0.01});
  EXPECT_FALSE(c[0].has_value());
  EXPECT_DOUBLE_EQ(c[1].value(), 0.04);
  EXPECT_DOUBLE_EQ(c[2].value(), 0.03);
  const auto d = holm({0.02, std::nullopt, 0.01, std::nullopt});
  EXPECT_DOUBLE_EQ(d[0].value(), 0.06);
  EXPECT_FALSE(d[1].has_value() || d[3].has_value());
  EXPECT_DOUBLE_EQ(d[2].value(), 0.04);
  EXPECT_TRUE(holm({}).empty());
}

TEST(Stats, TooFewIsUnknown) {
  EXPECT_FALSE(lab::mean(Values{}).has_value());
  EXPECT_EQ(lab::mean(Values{2.5}), 2.5);
  EXPECT_FALSE(lab::sd(Values{2.5}).has_value());
  EXPECT_FALSE(lab::summarize(Values{2.5}).has_value());
  EXPECT_FALSE(lab::mean(Values{1, std::numeric_limits<double>::quiet_NaN()}).has_value());
  EXPECT_FALSE(lab::summarize(Values{1e308, -1e308}).has_value());
}

TEST(Stats, NoSpread) {
  const Sample zero = lab::summarize(Values{0, 0, 0}).value();
  EXPECT_EQ(lab::t_test(zero), 1);
  EXPECT_EQ(lab::equivalence_test(zero, 0.01), 0);
  EXPECT_EQ(lab::t_interval(zero), (lab::Interval{0, 0}));
  const Sample same = lab::summarize(Values{0.1, 0.1, 0.1}).value();  // 0.1·3/3 ≠ 0.1 in binary
  EXPECT_EQ(same.sd, 0);
  EXPECT_EQ(lab::t_test(same), 0);
  EXPECT_EQ(lab::equivalence_test(same, 0.01), 1);
  EXPECT_EQ(lab::equivalence_test(same, 0.1), 1);  // on the edge is not inside
  EXPECT_EQ(lab::t_interval(same), (lab::Interval{0.1, 0.1}));
  EXPECT_EQ(lab::sd_interval(same, 0.8), (lab::Interval{0, 0}));
}

TEST(Stats, PairsMustBePairs) {
  EXPECT_EQ(lab::differences(Values{1.5, 2}, Values{1, 4}), (Values{0.5, -2}));
  EXPECT_THROW(lab::differences(Values{1}, Values{1, 2}), base::Error);
  EXPECT_THROW(lab::differences(Values{std::nan("")}, Values{1}), base::Error);
}

}  // namespace
