// Verdicts: the rules one by one. The error rates they promise are in stats_simulation_test.cpp.
#include "lab/study/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace {

using lab::Outcome;
using lab::PairedCell;
using lab::Rules;
using lab::Verdict;
using Values = std::vector<double>;

Values constant(std::size_t n, double v) { return Values(n, v); }

/// A row whose paired differences are `d`.
PairedCell row(const Values& d, int diverged = 0, std::string arm = "arm") {
  return {"1", std::move(arm), constant(d.size(), 0), d, diverged, false};
}

Verdict judge_one(const Values& d, const Rules& rules = {}) {
  return lab::judge(std::vector{row(d)}, rules).at(0);
}

TEST(Verdict, Rules) {
  EXPECT_EQ(judge_one({-1.07, -1.05, -1.10, -1.09, -1.04}).verdict, Outcome::kHelps);
  EXPECT_EQ(judge_one({1.07, 1.05, 1.10, 1.09, 1.04}).verdict, Outcome::kHurts);
  EXPECT_EQ(judge_one({0.001, -0.002, 0.001, 0.0005, -0.001}).verdict, Outcome::kNoDifference);
  // Both significant and within the margin: significance is asked first.
  EXPECT_EQ(judge_one({0.002, 0.0021, 0.0022, 0.0019, 0.002}).verdict, Outcome::kHurts);
  // Arms that compute the same bits.
  const Verdict same = judge_one({0, 0, 0});
  EXPECT_EQ(same.verdict, Outcome::kNoDifference);
  EXPECT_EQ(same.p, 1);
  EXPECT_EQ(same.ci, (lab::Interval{0, 0}));
  // A wider margin turns "cannot be told" into "no difference".
  const Values wide = {0.01, -0.02, 0.01, 0.005, -0.01};
  EXPECT_EQ(judge_one(wide).verdict, Outcome::kCannotTell);
  EXPECT_EQ(judge_one(wide, {.margin = 0.05}).verdict, Outcome::kNoDifference);
}

TEST(Verdict, TwoSeedsThatDisagreeCannotTell) {
  const Verdict v = judge_one({-0.05, 0.0});
  EXPECT_EQ(v.verdict, Outcome::kCannotTell);
  EXPECT_DOUBLE_EQ(v.diff.value(), -0.025);
  EXPECT_NEAR(v.p.value(), 0.5, 1e-12);
  ASSERT_TRUE(v.more_seeds && v.more_seeds->lo);
  EXPECT_GE(*v.more_seeds->lo, 1);
  EXPECT_TRUE(!v.more_seeds->hi || *v.more_seeds->hi > 10 * *v.more_seeds->lo);
}

TEST(Verdict, OneSeedOrNoneIsUnknown) {
  const Verdict one = judge_one({-3});
  EXPECT_EQ(one.verdict, Outcome::kCannotTell);
  EXPECT_EQ(one.diff, -3);
  EXPECT_FALSE(one.ci || one.p || one.p_holm || one.p_equivalent || one.more_seeds);
  const Verdict none = judge_one({});
  EXPECT_EQ(none.n, 0);
  EXPECT_FALSE(none.diff.has_value());
}

TEST(Verdict, HolmOverTheTable) {
  const Values d = {0.02, 0.05, 0.03, 0.06, 0.01};
  const double p = judge_one(d).p.value();
  ASSERT_EQ(judge_one(d).verdict, Outcome::kHurts);
  std::vector<PairedCell> table = {{"1", "none", {}, constant(5, 2.0), 0, true}, row(d)};
  const Values noise = {0.1, -0.12, 0.08, 0.02, -0.09};
  for (int i = 0; i < 3; ++i) table.push_back(row(noise, 0, "noise"));
  const auto out = lab::judge(table);
  EXPECT_EQ(out[0].verdict, Outcome::kBaseline);
  EXPECT_FALSE(out[0].p || out[0].diff || out[0].more_seeds);
  EXPECT_EQ(out[0].n, 5);
  EXPECT_NEAR(out[1].p_holm.value(), 4 * p, 1e-15);  // the first arm's row is not in the family
  EXPECT_EQ(out[1].verdict, Outcome::kCannotTell);   // 4 · 0.021 > 0.05
  EXPECT_EQ(out[4].arm, "noise");
  EXPECT_EQ(out[4].p_holm, 1);
}

TEST(Verdict, DivergedIsWithheldButCounts) {
  const Values d = {-0.32, -0.30, -0.29, -0.31};
  const auto out = lab::judge(std::vector{row(d, 1), row(d)});
  EXPECT_EQ(out[0].verdict, Outcome::kWithheld);
  EXPECT_EQ(out[0].diverged, 1);
  EXPECT_TRUE(out[0].diff.has_value());
  EXPECT_FALSE(out[0].p || out[0].p_holm || out[0].ci || out[0].more_seeds);
  EXPECT_EQ(out[1].verdict, Outcome::kHelps);
  EXPECT_DOUBLE_EQ(out[1].p_holm.value(), 2 * *out[1].p);
}

TEST(Verdict, LaterLooksAreCorrected) {
  EXPECT_EQ(lab::look_factor(1), 1);
  double spent = 0;
  for (int k = 2; k <= 2000; ++k) spent += 1 / lab::look_factor(k);
  EXPECT_LE(spent, 1);
  EXPECT_GT(spent, 0.999);
  EXPECT_THROW(lab::look_factor(0), base::Error);

  const Values d = {0.02, 0.05, 0.03, 0.06, 0.01};
  const Verdict first = judge_one(d), third = judge_one(d, {.looks = 3});
  EXPECT_EQ(first.verdict, Outcome::kHurts);
  EXPECT_EQ(third.verdict, Outcome::kCannotTell);
  EXPECT_EQ(third.looks, 3);
  EXPECT_EQ(third.p, first.p);
  EXPECT_DOUBLE_EQ(third.p_holm.value(), 6 * *first.p);
  EXPECT_DOUBLE_EQ(third.p_equivalent.value(), std::min(1.0, 6 * *first.p_equivalent));
  // Interval and test agree at every look: 0 is outside exactly when the corrected p < 0.05.
  EXPECT_GT(first.ci->lo, 0);
  EXPECT_LT(third.ci->lo, 0);
  EXPECT_EQ(lab::looks_note({}), "");
  const std::string note = lab::looks_note({.looks = 3});
  EXPECT_NE(note.find("look 3"), std::string::npos);
  EXPECT_NE(note.find("99.1667 %"), std::string::npos) << note;
  // Very many looks break nothing.
  EXPECT_EQ(judge_one(d, {.looks = 1000000}).verdict, Outcome::kCannotTell);
}

// The textbook numbers (Cohen 1988's small, medium, large effect; α = 0.05, power 0.8), which
// scripts/golden_stats.py confirms by its integrals.
TEST(SeedsToTell, KnownSampleSizes) {
  const auto pairs = [](double effect) {
    return lab::pairs_for_difference(effect, 1, 0.05, 0.8, 1000);
  };
  EXPECT_EQ(pairs(0.2), 199);
  EXPECT_EQ(pairs(-0.5), 34);
  EXPECT_EQ(pairs(0.8), 15);
  EXPECT_EQ(pairs(0.01), std::nullopt);
}

// The next look's levels: α for equivalence, α/(m − r) for a difference; σ from its 80 % interval.
TEST(SeedsToTell, CountsTheNextLookAndTheTable) {
  const Values clear = {-1.07, -1.05, -1.10, -1.09, -1.04},
               unclear = {0.1, 0.02, -0.09, 0.08, 0.03};
  const std::vector<PairedCell> table = {row(unclear), row(clear), row(unclear), row(clear, 1)};
  const lab::Sample x = lab::summarize(unclear).value();
  const lab::Interval sigma = lab::sd_interval(x, 0.8);
  for (const auto& [looks, next_factor] : {std::pair{1, 2.0}, std::pair{2, 6.0}}) {
    const Rules rules{.looks = looks};
    const double next = 0.05 / next_factor;
    const auto more = [&](double sd) -> std::optional<int> {
      // Of four one is withheld, which counts, and one is told.
      const auto half = lab::pairs_for_difference(x.mean / 2, sd, next / 3, 0.8, 1000);
      const auto nothing = lab::pairs_for_equivalence(0, sd, rules.margin, next, 0.8, 1000);
      return half || nothing
                 ? std::optional(std::min(half.value_or(1000), nothing.value_or(1000)) - 5)
                 : std::nullopt;
    };
    const auto out = lab::judge(table, rules);
    ASSERT_EQ(out[1].verdict, Outcome::kHelps);
    EXPECT_EQ(out[0].more_seeds, (lab::SeedRange{more(sigma.lo), more(sigma.hi)}));
    EXPECT_EQ(out[2].more_seeds, out[0].more_seeds);
    EXPECT_FALSE(out[1].more_seeds || out[3].more_seeds);
  }
}

TEST(SeedsToTell, AtLeastOneMoreAndAtLeastTwoInAll) {
  // At the lower end of so wide an interval for σ, the five there are would do.
  const Values d = {0.1, 0.02, -0.03, 0.08, 0.05};
  const double sigma = lab::sd_interval(lab::summarize(d).value(), 0.999999).lo;
  const double small = sigma / 3;
  ASSERT_LE(lab::pairs_for_difference(0.022, small, 0.025, 0.8, 1000).value(), 5);
  EXPECT_EQ(judge_one(d, {.sd_level = 1 - 1e-12}).more_seeds->lo, 1);
  EXPECT_EQ(judge_one(d, {.sd_level = 1 - 1e-9, .min_seeds = 9}).more_seeds->lo, 4);
}

TEST(SeedsToTell, TextAndCap) {
  EXPECT_EQ(lab::to_string(lab::SeedRange{7, 31}), "7 to 31");
  EXPECT_EQ(lab::to_string(lab::SeedRange{7, 7}), "7");
  EXPECT_EQ(lab::to_string(lab::SeedRange{40, std::nullopt}), "40 to over 1000");
  EXPECT_EQ(lab::to_string(lab::SeedRange{}), "over 1000");
  const auto capped = judge_one({0.3, -0.2, 0.1, -0.15, 0.0}, {.max_seeds = 20});
  EXPECT_EQ(capped.more_seeds, lab::SeedRange{});
}

TEST(Verdict, TooFewSeedsTellNothing) {
  const Values clear = {-1.07, -1.05, -1.10, -1.09, -1.04};
  EXPECT_EQ(judge_one(clear, {.min_seeds = 5}).verdict, Outcome::kHelps);
  const Verdict few = judge_one(clear, {.min_seeds = 6});
  EXPECT_EQ(few.verdict, Outcome::kCannotTell);
  EXPECT_EQ(few.more_seeds->lo, 1);
  EXPECT_LT(few.p_holm.value(), 0.001) << "the figures are shown all the same";
  EXPECT_EQ(judge_one({0.001, -0.002, 0.001}, {.min_seeds = 8}).verdict, Outcome::kCannotTell);
}

TEST(Verdict, IntervalsCoverTheTableAtOnce) {
  const Values d = {0.02, 0.05, 0.03, 0.06, 0.01};
  const auto alone = judge_one(d), third = lab::judge(std::vector{row(d), row(d), row(d)}).at(1);
  const lab::Sample x = lab::summarize(d).value();
  EXPECT_NEAR(alone.ci->lo, lab::t_interval(x, 0.05).lo, 1e-12);
  EXPECT_NEAR(third.ci->lo, lab::t_interval(x, 0.05 / 3).lo, 1e-12);
  EXPECT_NEAR(lab::ci_level({}, 3), 1 - 0.05 / 3, 1e-15);
  EXPECT_NEAR(lab::ci_level({.looks = 2}, 3), 1 - 0.05 / 6, 1e-15);
  // A withheld arm and no first arm counts.
  std::vector<PairedCell> table = {row(d), row(d, 1)};
  table.push_back({"1", "none", {}, d, 0, true});
  EXPECT_EQ(lab::family_of(table), 2U);
}

TEST(Verdict, NamesItsMarginAndWhatIsNegligible) {
  const Values small = {0.001, -0.002, 0.001, 0.0005, -0.001};
  EXPECT_TRUE(judge_one(small).negligible);
  PairedCell own = row({0.008, -0.009, 0.007, -0.008, 0.009});
  own.margin = 0.0102;
  const Verdict v = lab::judge(std::vector{own}).at(0);
  EXPECT_EQ(v.margin, 0.0102);
  EXPECT_EQ(v.verdict, Outcome::kNoDifference);
  EXPECT_FALSE(v.negligible) << "the two-sided interval is wider than the two tests";
}

TEST(Verdict, RunsThatLearnNothingWithhold) {
  PairedCell lost = row({-0.32, -0.30, -0.29});
  lost.untrained = 1;
  const Verdict v = lab::judge(std::vector{lost}).at(0);
  EXPECT_EQ(v.verdict, Outcome::kWithheld);
  EXPECT_EQ(v.untrained, 1);
}

TEST(Verdict, SignFlipsStandBesideAFewSeeds) {
  EXPECT_EQ(judge_one({0.02, 0.05, 0.03, 0.06, 0.01}).p_signs, 2.0 / 32);
  EXPECT_FALSE(judge_one(Values(13, 0.5)).p_signs);
}

// The same differences over seeds, and windows that differ much: what is sure for this text is not
// for another.
TEST(Verdict, ASharedTextIsASampleOfTexts) {
  const Values d = {0.029, 0.031, 0.030, 0.0305, 0.0295, 0.0302, 0.0298, 0.0301};
  ASSERT_EQ(judge_one(d).verdict, Outcome::kHurts);
  PairedCell shared = row(d);
  const Values window = {0.4,  -0.4,  0.3,  -0.3,  0.2,  -0.2,  0.1,  -0.1,
                         0.35, -0.35, 0.25, -0.25, 0.15, -0.15, 0.05, -0.05};
  for (const double seed : d)
    for (const double w : window) shared.windows.push_back(seed + w);
  const Verdict v = lab::judge(std::vector{shared}).at(0);
  EXPECT_EQ(v.verdict, Outcome::kCannotTell);
  EXPECT_EQ(v.windows, 16);
  EXPECT_NEAR(v.diff.value(), lab::mean(d).value(), 1e-15);
  EXPECT_GT(v.se_windows.value(), 50 * v.se_seeds.value());
  EXPECT_LT(v.ci->lo, 0);
  EXPECT_FALSE(judge_one(d).se_windows);
}

}  // namespace
