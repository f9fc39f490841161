// The compute-equivalent of an arm on curves that fall, rise, and are not curves.
#include "lab/stats/equivalent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"

namespace {

using lab::BudgetLoss;
using Relation = lab::ComputeEquivalent::Relation;

TEST(Equivalent, InterpolatesInLogShare) {
  const std::vector<BudgetLoss> curve = {{0.25, 2.6}, {0.5, 2.4}, {1, 2.2}, {2, 2.1}};
  const auto at = [&](double loss) { return lab::compute_equivalent(curve, loss).value(); };
  for (const auto& [share, loss] : curve) {
    EXPECT_EQ(at(loss).relation, Relation::kEqual);
    EXPECT_NEAR(at(loss).share, share, 1e-15);
  }
  EXPECT_NEAR(at(2.3).share, std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(at(2.125).share, std::exp2(0.75), 1e-12);
  EXPECT_EQ(lab::to_string(at(2.3)), "0.71");
  EXPECT_EQ(lab::to_string(at(2.61)), "<0.25");
  EXPECT_EQ(lab::to_string(at(2.09)), ">2");
  EXPECT_FALSE(at(2.3).rises);
}

// A power law between its points: the straight line errs by less than a hundredth of a step.
TEST(Equivalent, CloseToAPowerLaw) {
  const auto law = [](double share) { return 1.5 + 0.7 * std::pow(share, -0.1); };
  std::vector<BudgetLoss> curve;
  for (const double share : {0.25, 0.5, 1.0, 2.0}) curve.push_back({share, law(share)});
  for (double share = 0.26; share < 2; share *= 1.07) {
    EXPECT_NEAR(std::log2(lab::compute_equivalent(curve, law(share))->share / share), 0, 0.01);
  }
}

TEST(Equivalent, OverfittingCurve) {
  const std::vector<BudgetLoss> curve = {{0.25, 2.7}, {0.5, 2.5}, {1, 2.9}, {2, 3.6}};
  const auto at = [&](double loss) { return lab::compute_equivalent(curve, loss).value(); };
  EXPECT_TRUE(at(2.6).rises);
  EXPECT_NEAR(at(2.6).share, 0.25 * std::sqrt(2.0), 1e-12);  // the first of its two crossings
  EXPECT_EQ(lab::to_string(at(2.8)), "<0.25");               // though better than 2.9 at share 1
  EXPECT_EQ(lab::to_string(at(2.4)), ">2");
  const std::vector<BudgetLoss> flat = {{0.5, 2.0}, {1, 2.0}};
  EXPECT_EQ(lab::compute_equivalent(flat, 2.0)->share, 0.5);
  EXPECT_EQ(lab::to_string(lab::compute_equivalent(flat, 2.1).value()), "<0.5");
}

TEST(Equivalent, BadCurves) {
  EXPECT_FALSE(lab::compute_equivalent({}, 2.0).has_value());
  const std::vector<BudgetLoss> twice = {{1, 2.0}, {1, 2.1}}, nan = {{1, std::nan("")}};
  EXPECT_THROW(lab::compute_equivalent(twice, 2.0), base::Error);
  EXPECT_THROW(lab::compute_equivalent(nan, 2.0), base::Error);
  EXPECT_THROW(lab::compute_equivalent(std::vector<BudgetLoss>{{1, 2.0}}, std::nan("")),
               base::Error);
}

}  // namespace
