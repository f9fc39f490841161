#include "base/measure.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

// As numpy.quantile([3, 1, 8, 4], q) has it.
TEST(Quantile, IsLinearBetweenTheSortedValues) {
  const std::vector<double> x = {3, 1, 8, 4};
  EXPECT_EQ(base::quantile(x, 0), 1);
  EXPECT_EQ(base::quantile(x, 0.25), 2.5);
  EXPECT_EQ(base::quantile(x, 0.5), 3.5);
  EXPECT_EQ(base::quantile(x, 0.75), 5);
  EXPECT_NEAR(base::quantile(x, 0.9), 6.8, 1e-12);
  EXPECT_EQ(base::quantile(x, 1), 8);
}

TEST(Quantile, OfOneValueIsThatValue) {
  for (const double q : {0.0, 0.3, 0.5, 1.0}) EXPECT_EQ(base::quantile({7}, q), 7);
}

TEST(Quantile, MedianOfOddAndEvenSamples) {
  EXPECT_EQ(base::median({5, 1, 9}), 5);
  EXPECT_EQ(base::median({5, 1, 9, 2}), 3.5);
  EXPECT_EQ(base::median({2, 2}), 2);
}

}  // namespace
}  // namespace engine
