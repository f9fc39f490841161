// What the probe makes of values given by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "lab/probe/probe.h"

namespace {

using Floats = std::vector<float>;

lab::ProbePlace place(std::uint64_t values, std::int64_t masks, std::uint64_t sample = 100) {
  lab::ProbeOptions options;
  options.masks = masks, options.sample = sample;
  return {values, options};
}

lab::ProbePoint probed(const Floats& evaluation, const std::vector<Floats>& training) {
  lab::ProbePlace p = place(evaluation.size(), std::ssize(training));
  p.evaluation().add(evaluation);
  p.end_evaluation();
  for (const Floats& values : training) {
    p.training().add(values);
    p.end_mask();
  }
  return p.take();
}

double total(const std::vector<double>& shares) {
  return std::accumulate(shares.begin(), shares.end(), 0.0);
}

TEST(ProbePlace, FiguresOfTwoMasks) {
  // Deviations −3 −1 1 3: variance 5, kurtosis 41/25 − 3. Under the masks the same doubled, and
  // doubled and two higher.
  const lab::ProbePoint p = probed({-3, -1, 1, 3}, {{2, -6, 6, -2}, {4, -4, 8, 0}});
  EXPECT_EQ(p.values, 4U);
  EXPECT_EQ(p.sampled, 4U);
  EXPECT_EQ(*p.evaluation[0], 0);
  EXPECT_DOUBLE_EQ(*p.evaluation[1], 5);
  EXPECT_DOUBLE_EQ(*p.evaluation[2], 0);
  EXPECT_DOUBLE_EQ(*p.evaluation[3], 41 / 25.0 - 3);
  EXPECT_DOUBLE_EQ(p.training[0]->value, 1);  // of 0 and 2: sd √2, over √2 masks
  EXPECT_DOUBLE_EQ(p.training[0]->se, 1);
  EXPECT_DOUBLE_EQ(p.training[1]->value, 20);
  EXPECT_EQ(p.training[1]->se, 0);
  EXPECT_NEAR(p.training[3]->value, 41 / 25.0 - 3, 1e-12);
  EXPECT_DOUBLE_EQ(p.variance_ratio->value, 4);  // training over evaluation
  EXPECT_EQ(p.variance_ratio->se, 0);
  // Order statistics are 3 1 1 3 and 1 1 3 5 apart: means 2 and 2.5, in units of √5.
  EXPECT_NEAR(p.w1->value, 2.25 / std::sqrt(5), 1e-12);
  EXPECT_NEAR(p.w1->se, 0.25 / std::sqrt(5), 1e-12);
}

TEST(ProbePlace, TheShapeOfEqualValuesIsNotKnown) {
  const lab::ProbePoint constant = probed({2, 2}, {{2, 2}, {2, 4}, {1, 3}});
  EXPECT_EQ(*constant.evaluation[1], 0);
  EXPECT_FALSE(constant.evaluation[2] || constant.evaluation[3]);
  EXPECT_FALSE(constant.variance_ratio || constant.w1);
  EXPECT_DOUBLE_EQ(constant.training[1]->value, 2 / 3.0);
  EXPECT_DOUBLE_EQ(constant.training[3]->value, -2);  // of the two masks that have a shape
  const lab::ProbePoint one = probed({1, 2}, {{0, 0}, {1, 2}});
  EXPECT_DOUBLE_EQ(one.variance_ratio->value, 0.5);
  EXPECT_FALSE(one.training[2]) << "known under one mask alone: no standard error";
}

TEST(ProbePlace, HistogramsShareTheirBins) {
  const lab::ProbePoint p = probed({0, 0, 0, 100}, {{0, 100, 100, 100}, {0, 0, 0, 0}});
  const lab::ProbeHistogram& h = p.histogram;
  EXPECT_DOUBLE_EQ(h.lo, -4);  // 4 % of the range on either side
  EXPECT_DOUBLE_EQ(h.hi, 104);
  ASSERT_EQ(h.evaluation.size(), 64U);
  ASSERT_EQ(h.training.size(), 64U);
  const std::size_t low = 2, high = 61;  // 4/108·64 and 104/108·64
  EXPECT_DOUBLE_EQ(h.evaluation[low], 0.75);
  EXPECT_DOUBLE_EQ(h.evaluation[high], 0.25);
  EXPECT_DOUBLE_EQ(h.training[low], 5 / 8.0);
  EXPECT_DOUBLE_EQ(h.training[high], 3 / 8.0);
  EXPECT_DOUBLE_EQ(total(h.evaluation), 1);
  EXPECT_DOUBLE_EQ(total(h.training), 1);
}

// 2 in a thousand at either end lie outside; equal values get a range around them.
TEST(ProbePlace, HistogramsLeaveOutTheFarthest) {
  Floats values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  values[0] = -1e6, values[999] = 1e6;
  lab::ProbePlace p = place(1000, 1, 1000);
  p.evaluation().add(values);
  p.end_evaluation();
  p.training().add(values);
  p.end_mask();
  const lab::ProbeHistogram h = p.take().histogram;
  EXPECT_DOUBLE_EQ(h.lo, 2 - 0.04 * 995);
  EXPECT_DOUBLE_EQ(h.hi, 997 + 0.04 * 995);
  EXPECT_NEAR(total(h.evaluation), 0.998, 1e-12);
  const lab::ProbePoint equal = probed({5, 5}, {{5, 5}, {5, 5}});
  EXPECT_EQ(equal.histogram.lo, 0);
  EXPECT_EQ(equal.histogram.hi, 10);
  EXPECT_EQ(equal.histogram.evaluation[32], 1);
}

// Pieces or whole, the same; of more values than it may hold, one from each stretch.
TEST(ProbePlace, ASampleDoesNotDependOnPieces) {
  Floats values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(999 - i);
  lab::ValueStream whole(1000, 10), pieces(1000, 10);
  whole.add(values);
  for (std::size_t i = 0; i < values.size(); i += 7)
    pieces.add(std::span(values).subspan(i, std::min<std::size_t>(7, values.size() - i)));
  for (lab::ValueStream* s : {&whole, &pieces}) {
    s->sort();
    ASSERT_EQ(s->sample().size(), 10U);
    for (std::size_t k = 0; k < 10; ++k) {
      EXPECT_GE(s->sample()[k], 100.0F * static_cast<float>(k));
      EXPECT_LT(s->sample()[k], 100.0F * static_cast<float>(k + 1));
      EXPECT_EQ(s->sample()[k], whole.sample()[k]);
    }
  }
  EXPECT_NEAR(*pieces.moments().mean(), 499.5, 1e-9);
  EXPECT_EQ(pieces.moments().count(), 1000);
}

}  // namespace
