// Fieller's interval: its definition, its limits, how often it covers.
#include <gtest/gtest.h>

#include <boost/math/distributions/normal.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <vector>

#include "lab/stats/paired.h"

namespace lab {
namespace {

// The ends are the R at which a t test of x − R·y has p = alpha.
TEST(RatioOfMeans, EndsAreWhereTheTestTurns) {
  const std::vector<double> x = {1.1, 0.7, 1.4, 0.9, 1.3}, y = {2.2, 1.8, 2.1, 2.6, 1.9};
  const auto r = ratio_of_means(x, y, 0.05);
  ASSERT_TRUE(r);
  EXPECT_NEAR(r->ratio, 5.4 / 10.6, 1e-12);
  for (const double end : {r->ci.lo, r->ci.hi}) {
    std::vector<double> d;
    for (std::size_t i = 0; i < x.size(); ++i) d.push_back(x[i] - end * y[i]);
    EXPECT_NEAR(t_test(*summarize(d)), 0.05, 1e-9);
  }
}

TEST(RatioOfMeans, IsUnknownWhereTheDenominatorMayBeNothing) {
  EXPECT_FALSE(ratio_of_means(std::vector{1.0, 2.0}, std::vector{-1.0, 1.1}, 0.05));
  EXPECT_FALSE(ratio_of_means(std::vector{1.0}, std::vector{1.0}, 0.05));
  const auto exact = ratio_of_means(std::vector{1.0, 2.0, 3.0}, std::vector{2.0, 4.0, 6.0}, 0.05);
  EXPECT_FALSE(exact) << "2, 4, 6 are not told from 0";
  const auto same = ratio_of_means(std::vector{20.0, 21.0}, std::vector{40.0, 42.0}, 0.1);
  ASSERT_TRUE(same);
  EXPECT_NEAR(same->ci.lo, 0.5, 1e-6);
  EXPECT_NEAR(same->ci.hi, 0.5, 1e-6);
}

// 4000 trials: 95 % ± 4 standard errors of 0.34 %.
TEST(RatioOfMeans, CoversAsOftenAsItSays) {
  boost::random::mt19937 random(5);
  boost::random::normal_distribution<double> normal;
  int covered = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> x, y;
    for (int i = 0; i < 8; ++i) {
      const double common = normal(random);
      y.push_back(3 + common);
      x.push_back(1.5 + 0.5 * common + 0.7 * normal(random));
    }
    const auto r = ratio_of_means(x, y, 0.05);
    covered += r && r->ci.lo <= 0.5 && 0.5 <= r->ci.hi ? 1 : 0;
  }
  EXPECT_NEAR(covered / double{kTrials}, 0.95, 4 * 0.0034);
}

}  // namespace
}  // namespace lab
