// Tuning on hand-made records: what is tried, what is chosen, how a grid grows, what is written
// down.
#include "lab/study/tuning.h"

#include <gtest/gtest.h>

#include <functional>

#include "lab/study/levels.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

using Texts = std::vector<std::string>;

class TuningTest : public testing::Test {
 protected:
  TuningTest() : store(folder.path() / "runs") {
    folder.write("text.txt", tests::small_text(4000));
    study.base.text = (folder.path() / "text.txt").string();
    study.base.n_layer = 1, study.base.n_head = 4, study.base.n_embd = 16;
    study.base.block_size = 8, study.base.batch = 4;
    study.base.budget = "20steps";
    study.seeds = 2;
    study.tuning_seeds = 2;
  }

  void arms(const Texts& texts) { study.arms = arm_levels(texts, study.base); }

  using Loss = std::function<double(const train::Settings&)>;

  /// Records for all runs that are missing, until the tuning is done. A loss that is not finite:
  /// the run diverged.
  std::vector<Tuned> tune(const Loss& loss) {
    const StudyRuns judged(study, store, true);
    GridSearch tuning(judged);
    while (!tuning.done()) {
      for (const Point& p : tuning.runs().missing()) {
        const RunSpec& spec = tuning.runs().spec(tuning.runs().id(p));
        RunRecord r;
        r.id = tuning.runs().id(p);
        r.seed = p.seed;
        r.build = this_build();
        r.machine = {"CPU", 1};
        const double value = loss(spec.settings);
        r.status = std::isfinite(value) ? Status::kOk : Status::kDiverged;
        if (r.ok()) r.values = {{"val_loss", value}};
        r.values.set("flops", 1e9);
        store.add_spec(spec);
        store.save(r);
        seeds.insert(p.seed);
      }
      // As another command would see it: what was made in between is read from the store.
      std::vector<Tuned> next =
          GridSearch(judged).done() ? GridSearch(judged).tuned() : std::vector<Tuned>{};
      if (!next.empty()) return next;
      return tune(loss);
    }
    return tuning.tuned();
  }

  static Texts tried(const Tuned& of) {
    Texts out;
    for (const Trial& t : of.trials) out.push_back(to_text(t.set));
    return out;
  }

  const tests::TempFolder folder;
  const Store store;
  Study study;
  std::set<std::uint64_t> seeds;
};

TEST_F(TuningTest, TakesTheLowestValidationLossOnSeedsOfItsOwn) {
  arms({"none", "d: dropout=0.1|0.2|0.3"});
  const auto tuned = tune([](const auto& s) { return std::abs(s.dropout - 0.2) + 1; });
  ASSERT_EQ(tuned.size(), 1U) << "none has nothing to choose";
  EXPECT_EQ(tuned[0].arm, 1U);
  EXPECT_EQ(to_text(tuned[0].set()), "dropout=0.2");
  EXPECT_EQ(tuned[0].extended, 0);
  EXPECT_FALSE(tuned[0].edge);
  EXPECT_EQ(tuned[0].trials[0].runs, 2);
  EXPECT_NEAR(*tuned[0].trials[2].val_loss, 1.1, 1e-12);
  EXPECT_EQ(tuned[0].flops, 6e9);
  EXPECT_EQ(seeds, (std::set<std::uint64_t>{10'001, 10'002}));
}

TEST_F(TuningTest, AGridGrowsAtItsEndByTwoChoicesAtMost) {
  arms({"none", "d: dropout=0.1|0.2"});
  auto tuned = tune([](const auto& s) { return 1 + s.dropout; });
  EXPECT_EQ(tried(tuned[0]),
            (Texts{"dropout=0.1", "dropout=0.2", "dropout=0.05", "dropout=0.025"}));
  EXPECT_EQ(to_text(tuned[0].set()), "dropout=0.025");
  EXPECT_EQ(tuned[0].extended, 2);
  EXPECT_TRUE(tuned[0].edge);
  study.base.lr = 2e-3;  // other runs
  arms({"none", "d: dropout=0.1|0.2"});
  tuned = tune([](const auto& s) { return std::abs(s.dropout - 0.41) + 1; });
  EXPECT_EQ(tried(tuned[0]), (Texts{"dropout=0.1", "dropout=0.2", "dropout=0.4", "dropout=0.8"}));
  EXPECT_EQ(to_text(tuned[0].set()), "dropout=0.4");
  EXPECT_FALSE(tuned[0].edge);
}

TEST_F(TuningTest, NothingIsTriedThatCannotBe) {
  // 8 · 8 / 12 rounds to 5, which 4 heads do not divide; the smallest stays at the edge.
  arms({"none", "w: n_embd=8|12"});
  auto tuned = tune([](const auto& s) { return static_cast<double>(s.n_embd); });
  EXPECT_EQ(tried(tuned[0]), (Texts{"n_embd=8", "n_embd=12"}));
  EXPECT_TRUE(tuned[0].edge);
  // The whole budget is the end; a share of less than a step is none.
  arms({"none", "s: budget_share=0.5|1"});
  tuned = tune([](const auto& s) { return 2 - s.budget_share; });
  EXPECT_EQ(tried(tuned[0]), (Texts{"budget_share=0.5", "budget_share=1"}));
  EXPECT_FALSE(tuned[0].edge);
  arms({"none", "s: budget_share=0.05|0.5"});
  tuned = tune([](const auto& s) { return s.budget_share; });
  EXPECT_EQ(tried(tuned[0]), (Texts{"budget_share=0.05", "budget_share=0.5"}));
  // What is no number has no ends.
  arms({"none", "a: activation=relu|selu"});
  tuned = tune([](const auto& s) { return s.activation == "relu" ? 1.0 : 2.0; });
  EXPECT_EQ(tuned[0].trials.size(), 2U);
  EXPECT_FALSE(tuned[0].edge);
}

TEST_F(TuningTest, EveryArmGetsTheSameNumberOfRuns) {
  arms({"a: dropout=0.1|0.2", "b: dropout=0.1|0.2|0.3|0.4|0.5|0.6", "c: beta1=0.9"});
  const TuningStudy all = tuning_study(study);
  std::map<std::size_t, std::int64_t> runs;
  for (const Point& p : points(all.study)) ++runs[all.choices[p.arm].first];
  EXPECT_EQ(runs, (std::map<std::size_t, std::int64_t>{{0, 12}, {1, 12}}));
  study.trials = 3;  // of six, at random, alike every time
  const auto drawn = tuning_study(study).choices;
  EXPECT_EQ(drawn.size(), 2U + 3U);
  EXPECT_EQ(tuning_study(study).choices, drawn);
}

TEST_F(TuningTest, WhatIsCommonIsTunedInEveryArmThatDoesNotSetIt) {
  arms({"none", "d: dropout=0.1|0.2", "fixed: lr=0.5"});
  study.tune = {parse_tune("lr=0.001,0.01")};
  std::map<std::size_t, int> choices;
  for (const auto& [arm, set] : tuning_study(study).choices) ++choices[arm];
  EXPECT_EQ(choices, (std::map<std::size_t, int>{{0, 2}, {1, 4}}));
  arms({"a: lr=1", "b: lr=2"});
  EXPECT_ERROR(tuning_study(study), "--tune lr: every arm sets it");
}

TEST_F(TuningTest, ALostChoiceIsNotChosen) {
  arms({"none", "d: dropout=0.1|0.2|0.3"});
  const auto tuned = tune([](const auto& s) {
    return s.dropout == 0.2 && s.seed == 10'002 ? NAN : std::abs(s.dropout - 0.2) + s.dropout / 10;
  });
  EXPECT_EQ(tuned[0].trials[1].lost, 1);
  EXPECT_FALSE(tuned[0].trials[1].val_loss);
  EXPECT_EQ(to_text(tuned[0].set()), "dropout=0.1");
  arms({"none", "e: beta1=0.5|0.6"});
  EXPECT_ERROR(tune([](const auto&) { return NAN; }), "tuning of arm 'e': every choice diverged");
}

TEST_F(TuningTest, TheChoiceOnDiskIsThatOfThisStudyOrRefused) {
  arms({"none", "d: dropout=0.1|0.2|0.3"});
  study.tuned = tune([](const auto& s) { return std::abs(s.dropout - 0.2); });
  const Json identity = {{"a", 1}}, json = to_json(study.tuned, study, identity);
  EXPECT_EQ(tuned_from_json(json, study, identity, "f"), study.tuned);
  EXPECT_EQ(settings_at(study, {0, 1, 0, 1}).dropout, 0.2);
  EXPECT_EQ(settings_at(study, {0, 0, 0, 1}).dropout, 0);
  EXPECT_ERROR(tuned_from_json(json, study, {{"a", 2}}, "f"), "f: is not the choice");
  Json edited = json;
  edited["choices"][0]["chosen"] = 0;
  EXPECT_ERROR(tuned_from_json(edited, study, identity, "f"), "edited by hand");
  for (const Json& bad : {Json(1), Json::object(), Json{{"choices", 1}, {"hash", "x"}}})
    EXPECT_ERROR(tuned_from_json(bad, study, identity, "f"), "f: is not the choice");
  // A hash that fits what makes no sense.
  for (const char* key : {"cell", "chosen", "arm", "trials"}) {
    Json choices = json["choices"];
    choices[0][key] = 99;
    EXPECT_ERROR(tuned_from_json({{"choices", choices}, {"hash", fingerprint({identity, choices})}},
                                 study, identity, "f"),
                 "f: ");
  }
}

}  // namespace
}  // namespace lab
