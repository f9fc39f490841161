// Every promise of tests/validation with few trials and a fixed seed; scripts/validate_statistics
// runs the same rows with many.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "tests/validation/checks.h"

namespace {

using validation::Check;

TEST(StatsValidation, EveryPromiseHolds) {
  std::set<std::string> names;
  for (const Check& check : validation::all_checks()) {
    EXPECT_TRUE(names.insert(check.group + check.name).second) << check.name << " is there twice";
    if (!check.wanted) continue;
    const auto outcome = validation::run(check, 150, 1);
    EXPECT_TRUE(validation::holds(check, outcome, 4)) << check.name << ": " << outcome.share;
  }
}

// What is known to be broken must be seen to be.
TEST(StatsValidation, BrokenPromisesAreSeen) {
  const Check t{"", "t with a normal's quantile on 3 seeds", lab::Interval{0.93, 0.97},
                [](validation::Normals& r) {
                  const auto x = lab::summarize(r.values(3, 0, 1)).value();
                  return std::abs(x.mean) < 1.96 * x.sd / std::sqrt(3.0);
                }};
  const auto outcome = validation::run(t, 2000, 1);
  EXPECT_FALSE(validation::holds(t, outcome, 4)) << outcome.share;
  EXPECT_NE(validation::markdown({t}, {outcome}, 4).find("**fails**"), std::string::npos);
}

}  // namespace
