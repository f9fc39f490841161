// The Pareto front of losses made by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "lab/report/pictures.h"
#include "lab/report/study_result.h"

namespace lab {
namespace {

ArmReport arm(const std::string& name, const std::vector<double>& losses, double noise) {
  ArmReport a;
  a.name = name;
  double share = 0.5;
  for (const double loss : losses) {
    ShareReport& at = a.shares.emplace_back();
    at.share = share;
    at.flops = 1e9 * share * (name == "b" ? 1.0005 : 1);
    at.loss.mean = loss;
    for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8})
      at.losses[seed] = loss + 0.2 * std::sin(static_cast<double>(seed)) +
                        noise * (seed % 2 == 0 ? 1 : -1) * (name == "b" ? 1 : 0.5);
    share *= 2;
  }
  return a;
}

CellReport cell(double b_at_half, double noise) {
  CellReport c;
  c.name = "x";
  c.arms = {arm("a", {2.0, 1.5}, noise), arm("b", {b_at_half, 1.6}, noise)};
  return c;
}

FrontPlace place(const std::vector<FrontPoint>& points, std::size_t arm, double share) {
  for (const FrontPoint& p : points)
    if (p.arm == arm && p.share == share) return p.place;
  throw std::logic_error("no such point");
}

TEST(Front, WhoHasLessForAsLittleIsOnIt) {
  // Seeds differ by more than the arms do, and alike: only paired they are told apart.
  const auto points = front(cell(1.9, 1e-3), 0.05);
  ASSERT_EQ(points.size(), 4U);
  EXPECT_EQ(place(points, 0, 0.5), FrontPlace::kOff) << "b is better at the same compute";
  EXPECT_EQ(place(points, 1, 0.5), FrontPlace::kOn) << "a few FLOP more are none";
  EXPECT_EQ(place(points, 0, 1), FrontPlace::kOn);
  EXPECT_EQ(place(points, 1, 1), FrontPlace::kOff);
  for (const FrontPoint& p : points)
    if (p.arm == 1 && p.share == 1) {
      EXPECT_EQ(p.by, "a at 1 ×");
    }
}

TEST(Front, WhatTheSeedsDoNotTellIsNotTold) {
  const auto points = front(cell(1.99, 0.2), 0.05);
  EXPECT_EQ(place(points, 0, 0.5), FrontPlace::kUntold);
  EXPECT_EQ(place(points, 1, 0.5), FrontPlace::kOn);
}

TEST(Front, MoreComputeForNoLessLossIsOffIt) {
  CellReport c = cell(1.9, 1e-3);
  c.arms[0].shares[1] = arm("a", {2.0, 1.95}, 1e-3).shares[1];
  EXPECT_EQ(place(front(c, 0.05), 0, 1), FrontPlace::kOff) << "b had 1.9 for half";
}

TEST(Front, IsOfArmsAtOtherShares) {
  Report r;
  r.cells = {cell(1.9, 1e-3)};
  EXPECT_EQ(front_lines(r).size(), 5U);
  EXPECT_EQ(front_json(r)[0]["front"], "off");
  EXPECT_EQ(front_json(r)[1]["front"], "on");
  const auto picture = front_picture(r, r.cells[0]);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->series.size(), 3U) << "two arms, and what is off";
  EXPECT_EQ(picture->series[2].marks.size(), 2U);
  r.cells[0].arms[1].shares.clear();
  EXPECT_TRUE(front_lines(r).empty());
  EXPECT_FALSE(front_picture(r, r.cells[0]));
}

}  // namespace
}  // namespace lab
