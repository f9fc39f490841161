// Advice on hand-made records: who goes on, who is judged, what is said, and what fits into a time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "base/text.h"
#include "lab/advise/advising.h"
#include "lab/runs/make.h"
#include "lab/study/levels.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

class AdviseTest : public testing::Test {
 protected:
  AdviseTest() : store(folder.path() / "runs") {
    folder.write("text.txt", tests::small_text(4000));
    study.base.text = (folder.path() / "text.txt").string();
    study.base.n_layer = 1, study.base.n_head = 4, study.base.n_embd = 32;
    study.base.block_size = 8, study.base.batch = 4;
    study.base.budget = "20steps";
    const std::string none = "none";
    study.arms = arm_levels({&none, 1}, study.base);
    study.seeds = 8;
  }

  using Loss = std::function<double(const train::Settings&)>;

  void make(const StudyRuns& runs, const Loss& loss) {
    for (const Point& p : runs.missing()) {
      const RunSpec& spec = runs.spec(runs.id(p));
      RunRecord r;
      r.id = runs.id(p);
      r.seed = p.seed;
      r.build = this_build();
      r.machine = {"CPU", 1};
      const double value = loss(spec.settings);
      r.status = std::isfinite(value) ? Status::kOk : Status::kDiverged;
      if (r.ok()) r.values = {{"val_loss", value}, {"test_loss", value}, {"flops", 1e9}};
      store.add_spec(spec);
      store.save(r);
      seeds[p.seed].insert(r.id);
    }
  }

  /// The halving with its runs made, as later commands would see it.
  std::unique_ptr<Halving> halve(const Loss& loss) {
    plain.emplace(study, store, true);
    for (;;) {
      auto halving = std::make_unique<Halving>(*plain, regimes(study.base));
      if (halving->done()) return halving;
      rounds.push_back(halving->runs().study().arms.size());
      make(halving->runs(), loss);
    }
  }

  Report judge(const Halving& halving, const Loss& loss) {
    Study judged = study;
    judged.arms = judged_arms(halving);
    make(plain->with_study(judged), loss);
    return make_report(plain->with_study(judged), {}, 1, "");
  }

  const tests::TempFolder folder;
  const Store store;
  Study study;
  std::optional<StudyRuns> plain;
  std::map<std::uint64_t, std::set<std::string>> seeds;
  std::vector<std::size_t> rounds;
};

/// What a seed adds to every regime.
double luck(const train::Settings& s) { return 0.3 * std::sin(static_cast<double>(s.seed)); }
/// What it adds to one of them.
double noise(const train::Settings& s) {
  return 1e-3 * std::sin(1e3 * s.dropout + 7 * s.weight_decay + 3 * static_cast<double>(s.seed));
}

TEST_F(AdviseTest, EveryRegimeIsTriedOnce) {
  const auto all = regimes(study.base);
  EXPECT_EQ(all.front().name, "none");
  std::set<std::string> names;
  for (const Regime& r : all) {
    EXPECT_TRUE(names.insert(r.name).second) << r.name;
    EXPECT_EQ(r.drops, r.name.find("dropout") != std::string::npos) << r.name;
  }
  EXPECT_TRUE(names.contains("weight_decay=10"));
  EXPECT_TRUE(names.contains("dropout=0.4, weight_decay=3"));
  EXPECT_TRUE(names.contains("budget_share=0.0625"));
  EXPECT_FALSE(names.contains("budget_share=1")) << "is none";
  EXPECT_FALSE(names.contains("weight_decay=0.1")) << "is none";
  study.base.budget = "4steps";
  EXPECT_ERROR(regimes(study.base), "0.0625 of it is less than one step");
}

TEST_F(AdviseTest, AThirdGoesOnWithTwiceTheSeedsAndTheBestOfEitherKindIsJudged) {
  const Loss loss = [](const train::Settings& s) {
    return 2 + luck(s) + noise(s) + std::abs(std::log10(s.weight_decay / 3)) + 3 * s.dropout;
  };
  const auto halving = halve(loss);
  const std::size_t count = halving->all().size();
  ASSERT_EQ(rounds.size(), 3U);
  EXPECT_EQ(rounds[0], count);
  for (int round = 1; round < Halving::kRounds; ++round)
    EXPECT_LE(rounds[static_cast<std::size_t>(round)], Halving::most_in(round, count));
  EXPECT_LT(rounds[2], 8U);
  EXPECT_EQ(seeds[10'001].size(), count);
  EXPECT_EQ(seeds[10'002].size(), rounds[1]);
  EXPECT_EQ(seeds[10'004].size(), rounds[2]);
  EXPECT_FALSE(seeds.contains(10'005));
  ASSERT_EQ(halving->standings().size(), count) << "all of them have a place";
  EXPECT_EQ(halving->all()[halving->standings()[0].regime].name, "weight_decay=3");
  EXPECT_NEAR(halving->standings()[0].against_none.value(), -std::log10(30), 3e-3);
  EXPECT_EQ(halving->standings()[0].seeds, 4);
  EXPECT_EQ(halving->standings().back().seeds, 1);

  const auto arms = judged_arms(*halving);
  ASSERT_EQ(arms.size(), 3U);
  EXPECT_EQ(arms[0].name, "none");
  EXPECT_EQ(arms[1].name, "weight_decay=3");
  EXPECT_EQ(arms[2].name, "dropout=0.1, weight_decay=3");

  const Report report = judge(*halving, loss);
  EXPECT_FALSE(seeds[1].empty()) << "on seeds of its own";
  const Advice advice = make_advice(report, nullptr);
  EXPECT_FALSE(advice.plain);
  EXPECT_EQ(advice.name, "weight_decay=3");
  tests::expect_has(advice.sentence,
                    "Use weight_decay=3: at 20steps its test loss is lower than that of no "
                    "regularizer by 1.47");
  tests::expect_has(advice.sentence, "(97.5 % interval, 8 fresh seeds, p ");
  const Verdict& v = report.cells[0].arms[1].versus.value();
  EXPECT_LT(v.ci->lo, v.ci->hi);
  tests::expect_has(advice.sentence, fmt::format("by {:.4f} nats a token [{:.4f}, {:.4f}] (",
                                                 -*v.diff, -v.ci->hi, -v.ci->lo));
  tests::expect_has(advice.sentence, "dropout=0.1, weight_decay=3 against no regularizer: -1.");
  EXPECT_TRUE(advice.too_close.empty());
  const Json json = to_json(advice, report, nullptr, *halving, "isodrop train");
  EXPECT_EQ(json["advice"]["assignments"]["weight_decay"], "3");
  EXPECT_LT(json["advice"]["ci"]["high"], -1.4);
  EXPECT_EQ(json["tried"].size(), count);
}

// However far behind the best of its kind is, it is tried on as many seeds as the others.
TEST_F(AdviseTest, EitherKindStaysToTheLastRound) {
  const auto halving = halve([](const train::Settings& s) {
    return 2 + luck(s) + noise(s) + std::abs(std::log10(s.weight_decay / 3)) +
           (s.dropout > 0 ? 9 + s.dropout : 0);
  });
  const auto arms = judged_arms(*halving);
  ASSERT_EQ(arms.size(), 3U);
  EXPECT_EQ(arms[2].name, "dropout=0.1, weight_decay=3");
  for (const Standing& of : halving->standings())
    EXPECT_TRUE(halving->all()[of.regime].name != arms[2].name || of.seeds == 4);
}

TEST_F(AdviseTest, WhatIsNotShownToHelpIsNotAdvised) {
  const Loss loss = [](const train::Settings& s) {
    return 2 + luck(s) + 20 * noise(s) + (s.dropout > 0 ? 0.0 : 1e-4);
  };
  const auto halving = halve(loss);
  EXPECT_NE(halving->standings()[0].regime, 0U) << "tuning has a favourite";
  const Report report = judge(*halving, loss);
  const Advice advice = make_advice(report, nullptr);
  EXPECT_TRUE(advice.plain);
  EXPECT_EQ(advice.name, "none");
  tests::expect_has(advice.sentence, "Use no regularizer: at 20steps nothing that was tried");
  EXPECT_EQ(advice.too_close.size(), 2U);
  EXPECT_TRUE(to_json(advice, report, nullptr, *halving, "")["advice"]["diff"].is_null());
}

TEST_F(AdviseTest, TheOneThatHelpsIsAdvisedThoughAnotherWasTheFavourite) {
  // In tuning dropout leads; on the fresh seeds it does nothing.
  const Loss loss = [](const train::Settings& s) {
    const bool tuning = s.seed > 10'000;
    return 2 + luck(s) + noise(s) + (s.dropout == 0.1 && s.weight_decay == 0.1 && tuning ? -1 : 0) +
           (s.weight_decay == 3 && s.dropout == 0 ? -0.5 : 0);
  };
  const auto halving = halve(loss);
  EXPECT_EQ(judged_arms(*halving)[1].name, "dropout=0.1");
  EXPECT_EQ(make_advice(judge(*halving, loss), nullptr).name, "weight_decay=3");
}

// Both help, and on the same fresh seeds the favourite is the worse of them.
TEST_F(AdviseTest, TheFavouriteGivesWayToTheOneThatBeatsIt) {
  const Loss loss = [](const train::Settings& s) {
    const bool tuning = s.seed > 10'000;
    return 2 + luck(s) + noise(s) +
           (s.dropout == 0.1 && s.weight_decay == 0.1 ? tuning ? -1 : -0.3 : 0) +
           (s.weight_decay == 3 && s.dropout == 0 ? -0.5 : 0);
  };
  const auto halving = halve(loss);
  const Report report = judge(*halving, loss);
  EXPECT_EQ(advised(report).name, "dropout=0.1");
  Study pair = study;
  pair.arms = judged_arms(*halving);
  pair.arms = {pair.arms[2], pair.arms[1]};
  const Report direct = make_report(plain->with_study(pair), {}, 1, "");
  const Advice advice = make_advice(report, &direct);
  EXPECT_EQ(advice.name, "weight_decay=3");
  tests::expect_has(advice.sentence, "dropout=0.1 against weight_decay=3: +0.1999");
  tests::expect_has(advice.sentence, "(95 %), hurts.");
}

TEST_F(AdviseTest, WhatCannotBeToldIsSaid) {
  const Loss loss = [](const train::Settings& s) {
    return 2 + luck(s) + noise(s) - s.weight_decay;
  };
  study.seeds = 4;
  const auto halving = halve(loss);
  Advice advice = make_advice(judge(*halving, loss), nullptr);
  EXPECT_TRUE(advice.plain);
  tests::expect_has(advice.sentence, "Nothing can be said yet: 4 seeds are too few to tell, 8 are");
  tests::expect_has(advice.sentence, "In tuning weight_decay=10 did best.");
  study.seeds = 8;
  const Loss lost = [&](const train::Settings& s) {
    return s.weight_decay == 0.1 && s.dropout == 0 && s.seed == 7 ? NAN : loss(s);
  };
  advice = make_advice(judge(*halving, lost), nullptr);
  tests::expect_has(advice.sentence,
                    "Nothing can be said yet: in every pair of arms runs diverged");
  EXPECT_TRUE(advice.too_close.empty());
}

TEST_F(AdviseTest, ARegimeThatDivergesIsOutAndAllThatDoIsAnError) {
  const Loss loss = [](const train::Settings& s) {
    return s.weight_decay > 1 ? NAN : 2 + luck(s) - s.weight_decay;
  };
  const auto halving = halve(loss);
  EXPECT_EQ(judged_arms(*halving)[1].name, "weight_decay=1");
  EXPECT_FALSE(halving->standings().back().val_loss);
  study.base.lr = 2e-3;  // other runs
  EXPECT_ERROR(halve([](const auto&) { return NAN; }), "every regime diverged");
}

// A `none` that is lost stays in, since the others are held against it.
TEST_F(AdviseTest, NoneGoesOnWhateverBecomesOfIt) {
  const auto halving = halve([](const train::Settings& s) {
    return s.weight_decay == 0.1 && s.dropout == 0 ? NAN : 2 + luck(s) + noise(s);
  });
  EXPECT_EQ(judged_arms(*halving)[0].name, "none");
  EXPECT_FALSE(halving->standings()[0].against_none);
  EXPECT_EQ(halving->runs().study().arms[0].name, "none");
}

TEST(WithinTime, StepsAreThoseThatFit) {
  // 100 budgets in 100 s at 0.9: 0.9 s a run, of which 0.1 s is not training; two at once in the
  // same time are 1.7 s.
  EXPECT_EQ(steps_within(100, 100, {0.001, 0.1}, 1), 800);
  EXPECT_EQ(steps_within(100, 100, {0.001, 0.1}, 2), 1700);
  EXPECT_EQ(steps_within(100, 100, {0.01, 0.1}, 1), 80);
  EXPECT_EQ(steps_within(34, 100, {0.01, 0.1}, 1), 20);
  EXPECT_EQ(steps_within(33, 100, {0.01, 0.1}, 1), 0) << "too few to say anything";
}

TEST(WithinTime, TheShortestFitsThoughTheNextMeasurementIsATenthSlower) {
  EXPECT_EQ(shortest_time(100, {0.01, 0.1}, 1), "37s");
  EXPECT_EQ(steps_within(37, 100, {0.011, 0.11}, 1), 20);
  EXPECT_EQ(shortest_time(100, {0.1, 0.1}, 1), "5min");
  EXPECT_GE(steps_within(300, 100, {0.11, 0.11}, 1), 20);
  EXPECT_EQ(shortest_time(100, {0.1, 0.1}, 2), "3min") << "two at once";
}

TEST(WithinTime, SeedsAreThoseThatFitBetweenTwoAndThePlan) {
  EXPECT_EQ(seeds_within(1000, 1, 8), kPlannedSeeds);
  EXPECT_EQ(seeds_within(30, 1, 8), 10);
  EXPECT_EQ(seeds_within(18.5, 1, 8), 8) << "two more than fit, or nothing would be told";
  EXPECT_EQ(seeds_within(15, 1, 8), 5);
  EXPECT_EQ(seeds_within(-4, 1, 8), 2);
}

TEST(WithinTime, BudgetsAreCountedToTheLast) {
  train::Settings base;
  const std::vector<Regime> all(28, Regime{"x", {}, false});
  // 28, then 12 with a seed more, 6 with two more, and 3 on 12 seeds.
  EXPECT_EQ(Halving::most_in(1, 28), 12U);
  EXPECT_EQ(Halving::most_in(2, 28), 6U);
  EXPECT_EQ(budgets_at_most(all, base, 12), 28 + 12 + 12 + 36);
}

TEST(WithinTime, TimesAreReadWithTheirUnits) {
  EXPECT_EQ(base::parse_time("10min", "--time"), 600);
  EXPECT_EQ(base::parse_time("1.5h", "--time"), 5400);
  EXPECT_EQ(base::parse_time("90s", "--time"), 90);
  EXPECT_EQ(base::parse_time("90", "--time"), 90);
  EXPECT_EQ(base::parse_time("2m", "--time"), 120);
  for (const char* wrong : {"", "min", "10 parsecs", "-5min", "0", "nan", "inf", "1e9h"})
    EXPECT_ERROR(base::parse_time(wrong, "--time"), "--time '");
}

}  // namespace
}  // namespace lab
