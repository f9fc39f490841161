// Crossings of mean curves, regression, trend over shares, Pitman–Morgan: against values made by
// scripts/golden_studies.py, and by hand.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "lab/stats/equivalent.h"
#include "lab/stats/paired.h"
#include "lab/stats/regression.h"
#include "tests/lab/expect_close.h"
#include "tests/lab/stats_studies_golden.h"
#include "tests/validation/bootstrap.h"

namespace {

using golden::Values;
using lab::Interval;
using tests::expect_close;
using Relation = lab::ComputeEquivalent::Relation;

constexpr std::array<double, 5> kShares = {0.125, 0.25, 0.5, 1, 2};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

lab::SeedCurves curves_of(const auto& g) { return {kShares, g.first, g.arm}; }

TEST(Crossing, MatchesRootsOfTheTest) {
  for (const golden::Equivalent& g : golden::kEquivalent) {
    Values x, d = g.first;
    for (const double share : kShares) x.push_back(std::log2(share));
    for (std::size_t i = 0; i < d.size(); ++i) d[i] -= g.arm[i / 5];
    const lab::Crossing c = lab::first_crossing(x, d).value();
    expect_close(c.at, g.want[0]);
    expect_close(c.ci.lo, g.want[1]);
    expect_close(c.ci.hi, g.want[2]);
    const auto e = lab::equivalent_interval(curves_of(g)).value();
    EXPECT_EQ(e.lo.relation, Relation::kEqual);
    expect_close(e.lo.share, std::exp2(g.want[1]));
    expect_close(e.hi.share, std::exp2(g.want[2]));
  }
}

TEST(Crossing, ResamplingMatchesAllResamples) {
  const auto& g = golden::kEquivalentBootstrap.at(0);
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 0);
  const auto e = validation::equivalent_bootstrap(curves_of(g), 40000, random).value();
  const double lo = std::log2(e.lo.share), hi = std::log2(e.hi.share);
  EXPECT_GE(lo, g.want[0] - 1e-9);
  EXPECT_LE(lo, g.want[1] + 1e-9);
  EXPECT_GE(hi, g.want[2] - 1e-9);
  EXPECT_LE(hi, g.want[3] + 1e-9);
}

TEST(Crossing, BeyondTheCurve) {
  const Values x = {0, 1};
  const auto at = [&](Values d) { return lab::first_crossing(x, d).value(); };
  const lab::Crossing below = at({-1, -2, -1.1, -2, -1, -2.1});
  EXPECT_EQ(below.at, -kInfinity);
  EXPECT_EQ(below.ci, (Interval{-kInfinity, -kInfinity}));
  const lab::Crossing above = at({2, 1, 2.1, 1, 2, 1.1});
  EXPECT_EQ(above.at, kInfinity);
  EXPECT_EQ(above.ci, (Interval{kInfinity, kInfinity}));
  const lab::Crossing open = at({1, -1, -1, 1, 0.5, -0.6});  // nothing is known
  EXPECT_EQ(open.ci, (Interval{-kInfinity, kInfinity}));
  EXPECT_FALSE(lab::first_crossing(x, Values{1, 2}).has_value());
  EXPECT_FALSE(lab::first_crossing({}, {}).has_value());
  EXPECT_THROW(lab::first_crossing(x, Values{1, 2, 3, 4, 5}), base::Error);
  EXPECT_THROW(lab::first_crossing(x, Values{1, 2, 3, std::nan("")}), base::Error);
}

// Seeds without spread have the point itself; so does an arm of the same bits as the first.
TEST(Crossing, NoSpread) {
  const lab::Crossing c = lab::first_crossing(Values{0, 2, 3}, Values{1, -3, 0, 1, -3, 0}).value();
  EXPECT_NEAR(c.at, 0.5, 1e-12);
  EXPECT_NEAR(c.ci.lo, 0.5, 1e-12);
  EXPECT_NEAR(c.ci.hi, 0.5, 1e-12);
  const lab::Crossing same = lab::first_crossing(Values{0, 1}, Values{0, -1, 0, -1.5}).value();
  EXPECT_EQ(same.ci, (Interval{0, 0}));
}

// The upper bound dips below 0 between two points where it is above: the seeds agree there alone.
TEST(Crossing, FindsADipBetweenPoints) {
  const Values x = {0, 1}, d = {-2, 1, 1, -2, -2, 1, 1, -2};  // mean −½; at ½ all are −½
  const lab::Crossing c = lab::first_crossing(x, d).value();
  EXPECT_EQ(c.ci.lo, -kInfinity);
  // All d(u) = −½ ± 3(½ − u), half of them each: se = √(4/3)·3(½ − u)/2.
  const double t = 3.182446305284263, reach = 0.5 / (t * std::sqrt(4.0 / 3) * 3 / 2);
  EXPECT_NEAR(c.ci.hi, 0.5 - reach, 1e-9);
}

TEST(Equivalent, IntervalEnds) {
  const Values shares = {0.5, 1};
  const Values first = {2.5, 2.4, 2.51, 2.41}, low = {2.3, 2.31}, high = {2.6, 2.61};
  const auto above = lab::equivalent_interval({shares, first, low}).value();
  EXPECT_EQ(lab::to_string(above.lo), ">1");
  EXPECT_EQ(lab::to_string(above.hi), ">1");
  engine::Sequence random(engine::stream_key(2, engine::Stream::kSample), 0);
  const auto below = validation::equivalent_bootstrap({shares, first, high}, 99, random).value();
  EXPECT_EQ(lab::to_string(below.lo), "<0.5");
  EXPECT_EQ(lab::to_string(below.hi), "<0.5");
  EXPECT_FALSE(lab::equivalent_interval({shares, Values{1, 2}, Values{1}}).has_value());
  EXPECT_FALSE(validation::equivalent_bootstrap({shares, Values{1, 2}, Values{1}}, 99, random));
  EXPECT_THROW(lab::equivalent_interval({shares, first, Values{1}}), base::Error);
  EXPECT_THROW(lab::equivalent_interval({Values{1, 0.5}, first, low}), base::Error);
}

TEST(Ols, MatchesStatsmodels) {
  const auto& g = golden::kOls.at(0);
  const lab::Ols fit = lab::ols(g.x, 3, g.y);
  expect_close(fit.sigma, g.sigma[0]);
  EXPECT_EQ(fit.dof, 9);
  for (std::size_t j = 0; j < 3; ++j) {
    expect_close(fit.coef[j], g.coef[j]);
    for (std::size_t i = 0; i < 3; ++i)
      expect_close(fit.covariance[3 * i + j], g.covariance[3 * i + j]);
    const lab::Estimate c = lab::coefficient(fit, j);
    expect_close(c.mean, g.coef[j]);
    expect_close(c.se * c.se, g.covariance[4 * j]);
    EXPECT_EQ(c.dof, 9);
  }
  const lab::Estimate e = lab::combination(fit, g.weights);
  const Interval ci = lab::t_interval(e);
  expect_close(e.mean, g.combination[0]);
  expect_close(e.se, g.combination[1]);
  expect_close(ci.lo, g.combination[2]);
  expect_close(ci.hi, g.combination[3]);
}

TEST(Ols, LinesAndErrors) {
  const lab::Ols line = lab::ols_line(Values{0, 1, 2, 3}, Values{1, 3, 5, 7});
  EXPECT_NEAR(line.coef[0], 1, 1e-12);
  EXPECT_NEAR(line.coef[1], 2, 1e-12);
  EXPECT_NEAR(line.sigma, 0, 1e-12);
  const Values y = {1, 2, 3};
  // Columns that lie on their axis already, either way round.
  const lab::Ols axes = lab::ols(Values{2, 0, 0, -2, 0, 0}, 2, y);
  EXPECT_NEAR(axes.coef[0], 0.5, 1e-12);
  EXPECT_NEAR(axes.coef[1], -1, 1e-12);
  EXPECT_NEAR(axes.sigma, 3, 1e-12);
  EXPECT_THROW(lab::ols_line(Values{1, 1, 1}, y), base::Error);
  Values dependent;  // but for rounding
  for (const double v : {0.1, 0.2, 0.37, 0.91, 1.7})
    dependent.insert(dependent.end(), {1, v, 0.3 * v + 0.7});
  EXPECT_THROW(lab::ols(dependent, 3, Values{1, 2, 3, 4, 6}), base::Error);
  EXPECT_THROW(lab::ols(Values{0, 0, 0}, 1, y), base::Error);
  EXPECT_THROW(lab::ols(Values{1, 2, 3, 4}, 1, y), base::Error);
  EXPECT_THROW(lab::ols(Values{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, y), base::Error);
  EXPECT_THROW(lab::ols(Values{1, 2, std::nan("")}, 1, y), base::Error);
  EXPECT_THROW(lab::ols(Values{1, 2, 3}, 1, Values{1, 2, kInfinity}), base::Error);
  EXPECT_THROW(lab::combination(line, Values{1}), base::Error);
  EXPECT_THROW(lab::coefficient(line, 2), base::Error);
}

TEST(Ols, SeedBySeed) {
  // Two seeds, three rows, no residual: slopes 1 and 3, intercepts 0 and −1.
  const Values x = {1, 0, 1, 1, 1, 2}, y = {0, 1, 2, -1, 2, 5};
  const auto fits = lab::ols_by_seed(x, 2, 3, y);
  ASSERT_EQ(fits.size(), 2u);
  EXPECT_EQ(fits[0].n, 2);
  EXPECT_NEAR(fits[0].mean, -0.5, 1e-12);
  EXPECT_NEAR(fits[1].mean, 2, 1e-12);
  EXPECT_NEAR(fits[1].sd, std::sqrt(2.0), 1e-12);
  EXPECT_THROW(lab::ols_by_seed(x, 2, 3, Values{0, 1, 2}), base::Error);
  EXPECT_THROW(lab::ols_by_seed(x, 2, 3, Values{0, 1, 2, 3}), base::Error);
}

TEST(Ols, TrendIsPerDoubling) {
  const Values shares = {0.25, 0.5, 1, 2};
  const Values d = {0.4, 0.3, 0.2, 0.1, 0.5, 0.3, 0.1, -0.1};  // −0.1 and −0.2 a doubling
  const lab::Sample trend = lab::share_trend(shares, d).value();
  EXPECT_EQ(trend.n, 2);
  EXPECT_NEAR(trend.mean, -0.15, 1e-12);
  EXPECT_NEAR(trend.sd, 0.1 / std::sqrt(2.0), 1e-12);
  EXPECT_FALSE(lab::share_trend(Values{1}, Values{1, 2}).has_value());
  EXPECT_FALSE(lab::share_trend(shares, std::span(d).first(4)).has_value());
  EXPECT_THROW(lab::share_trend(Values{0, 1}, Values{1, 2, 3, 4}), base::Error);
}

TEST(PitmanMorgan, MatchesCorrelationOfSumAndDifference) {
  for (const golden::PitmanMorgan& g : golden::kPitmanMorgan) {
    const auto got = lab::pitman_morgan(g.x, g.y).value();
    expect_close(got.ratio, g.want[0]);
    expect_close(got.ci.lo, g.want[1], 1e-7);
    expect_close(got.ci.hi, g.want[2], 1e-7);
    expect_close(got.p, g.want[3]);
    const auto turned = lab::pitman_morgan(g.y, g.x).value();
    expect_close(turned.p, g.want[3]);
    expect_close(turned.ci.lo, 1 / got.ci.hi);
  }
}

TEST(PitmanMorgan, Limits) {
  const Values x = {1, 2, 4}, twice = {2, 4, 8};
  EXPECT_EQ(lab::pitman_morgan(x, x)->p, 1);
  EXPECT_LT(lab::pitman_morgan(x, twice)->p, 1e-6);
  EXPECT_NEAR(lab::pitman_morgan(twice, x)->ratio, 4, 1e-12);
  EXPECT_FALSE(lab::pitman_morgan(Values{1, 2}, Values{1, 3}).has_value());
  EXPECT_FALSE(lab::pitman_morgan(x, Values{1, 1, 1}).has_value());
  EXPECT_THROW(lab::pitman_morgan(x, Values{1, 2}), base::Error);
}

}  // namespace
