#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "lab/stats/moments.h"

namespace lab {
namespace {

std::vector<float> normals(std::size_t n, double mean, double sd) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(mean, sd);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(normal(random));
  return out;
}

TEST(Stability, TheTailIsThatOfTheNorms) {
  std::vector<float> norms;
  for (int i = 0; i < 1000; ++i) norms.push_back(i < 100 ? 1000.0F : static_cast<float>(i % 100));
  const auto s = stability(std::vector<float>(1000, 1.0F), norms);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->median_norm, 50);
  EXPECT_NEAR(s->tail, 99.0 / 50, 1e-12) << "the first tenth does not count";
  EXPECT_EQ(s->spikes, 0);
}

TEST(Stability, ASpikeStandsOutOfTheStepsBeforeIt) {
  std::vector<float> losses = normals(1000, 2, 0.1);
  const double quiet = stability(losses, losses)->spikes;
  for (const std::size_t at : {300U, 500U, 900U}) losses[at] = 4;
  EXPECT_NEAR(stability(losses, losses)->spikes - quiet, 1000 * 3 / 900.0, 1e-9);
  losses[50] = 9;
  EXPECT_NEAR(stability(losses, losses)->spikes - quiet, 1000 * 3 / 900.0, 1e-9) << "too early";
}

// 100 000 steps: t with 49 degrees of freedom above 3.5/√1.02, 0.56 in a thousand; the bound is
// five binomial standard deviations, doubled since windows overlap.
TEST(Stability, NormalLossesHaveAsManySpikesAsTheHeaderSays) {
  const std::vector<float> losses = normals(100'000, 2, 0.1);
  EXPECT_NEAR(stability(losses, losses)->spikes, 0.56, 0.8);
  EXPECT_GT(stability(losses, losses)->spikes, 0.1);
}

TEST(Stability, OfTooFewStepsNothingIsKnown) {
  const std::vector<float> few(20, 1.0F), enough(30, 1.0F);
  EXPECT_FALSE(stability(few, few));
  EXPECT_TRUE(stability(enough, enough));
  EXPECT_EQ(stability(std::vector<float>(30, 1.0F), std::vector<float>(30, 0.0F))->tail, 1);
}

}  // namespace
}  // namespace lab
