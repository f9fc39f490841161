#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "lab/stats/paired.h"

namespace lab {
namespace {

std::vector<double> ones(std::size_t n) { return std::vector<double>(n, 1.0); }

TEST(PairedRatio, IsTheMedianOfAllPairwiseMeans) {
  // Logs 0, 1 and 5: means 0, 0.5, 1, 2.5, 3, 5.
  const std::vector<double> x = {1, std::exp(1.0), std::exp(5.0)};
  EXPECT_NEAR(std::log(paired_ratio(x, ones(3)).ratio), (1 + 2.5) / 2, 1e-12);
}

TEST(PairedRatio, HasAnIntervalFromSixPairsOn) {
  const std::vector<double> x = {1.1, 1.2, 1.3, 1.15, 1.25, 1.05};
  EXPECT_FALSE(paired_ratio(std::span(x).first(5), ones(5)).ci95.has_value());
  const PairedRatio six = paired_ratio(x, ones(6));
  ASSERT_TRUE(six.ci95.has_value());
  EXPECT_DOUBLE_EQ(six.ci95->lo, 1.05);  // 2 of 2^6 sign patterns lie outside: coverage 0.969
  EXPECT_DOUBLE_EQ(six.ci95->hi, 1.3);
}

TEST(PairedRatio, TurnsAroundWithItsOperands) {
  const std::vector<double> x = {2, 3, 5, 7, 11, 13, 17}, y = {1.9, 3.1, 4.4, 7.2, 9.9, 13, 15.5};
  const PairedRatio there = paired_ratio(x, y), back = paired_ratio(y, x);
  EXPECT_NEAR(there.ratio * back.ratio, 1, 1e-12);
  EXPECT_NEAR(there.ci95->lo * back.ci95->hi, 1, 1e-12);
}

TEST(PairedRatio, AFewHeldUpStepsChangeLittle) {
  std::vector<double> x(101);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 1.01 + 1e-4 * static_cast<double>(i % 7);
  const double quiet = paired_ratio(x, ones(x.size())).ratio;
  for (std::size_t i = 0; i < 5; ++i) x[20 * i] = 50;
  EXPECT_NEAR(paired_ratio(x, ones(x.size())).ratio, quiet, 1e-4);
}

}  // namespace
}  // namespace lab
