// A comparison below the command line: which runs there are, one that fails, what a folder keeps.
#include "lab/study/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lab/report/report.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
using tests::TempFolder;

class ComparisonTest : public testing::Test {
 protected:
  ComparisonSpec spec(const std::vector<std::string>& arms, std::int64_t seeds = 2) const {
    ComparisonSpec s;
    s.base.n_layer = 1;
    s.base.n_head = 2;
    s.base.n_embd = 16;
    s.base.block_size = 8;
    s.base.batch = 4;
    s.base.budget = "6steps";
    s.arms = parse_arms(arms, s.base);
    s.seeds = seeds;
    s.out = folder.path() / "cmp";
    return s;
  }
  /// Runs it; the notes that were given.
  std::vector<std::string> run(Comparison& comparison) const {
    std::vector<std::string> notes;
    ComparisonEvents events;
    events.note = [&](const std::string& text) { notes.push_back(text); };
    comparison.run(events);
    return notes;
  }

  const TempFolder folder;
  const train::Corpus corpus = tests::small_corpus(3000, 300);
};

TEST_F(ComparisonTest, MakesEveryArmBeforeTheNextSeed) {
  ComparisonSpec s = spec({"none", "dropout=0.1"});
  s.epochs = {1, 4};
  const std::vector<RunKey> keys = Comparison(s, corpus).keys();
  ASSERT_EQ(keys.size(), 8U);
  for (std::size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(keys[i].seed, 1 + static_cast<std::int64_t>(i / 4));
  EXPECT_EQ(std::set<RunKey>(keys.begin(), keys.end()).size(), 8U);
}

TEST_F(ComparisonTest, UniqueDataIsTheFirstArmsTokensByEpochs) {
  ComparisonSpec s = spec({"none", "b: batch=8", "c: n_embd=32"});
  s.epochs = {1, 2, 3};
  const auto cells = plan_cells(s, corpus.vocab);
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells[0].unique_tokens, 192);
  EXPECT_EQ(cells[1].unique_tokens, 96);
  EXPECT_EQ(cells[2].unique_tokens, 64);
  s.base.budget = "3e7flops";  // equal FLOPs, so a larger arm sees fewer tokens
  s.arms = parse_arms(std::vector<std::string>{"none", "c: n_embd=32"}, s.base);
  s.epochs = {1};
  Comparison comparison(s, corpus);
  run(comparison);
  const auto& records = comparison.store().records;
  EXPECT_LT(records.at({0, 1, 1, 1}).steps, records.at({0, 0, 1, 1}).steps);
  EXPECT_LT(records.at({0, 1, 1, 1}).epochs, records.at({0, 0, 1, 1}).epochs);
  const double spent = records.at({0, 0, 1, 1}).flops / records.at({0, 1, 1, 1}).flops;
  EXPECT_NEAR(spent, 1, 0.05);  // whole steps only
}

TEST_F(ComparisonTest, ARunThatFailsIsNotedTheOthersGoOnAndItIsTriedAgain) {
  const ComparisonSpec s = spec({"none", "dropout=0.1"});
  const fs::path blocked = folder.path() / "cmp" / "crops" / "none" / "seed-2";
  {
    Comparison comparison(s, corpus);
    comparison.create();
    folder.write(fs::relative(blocked, folder.path()).string(), "in the way");
    const auto notes = run(comparison);
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_NE(notes[0].find("none · seed 2: failed: cannot create"), std::string::npos) << notes[0];
    const Json report = make_report(comparison, {});
    const Json& arms = report["cells"][0]["arms"];
    EXPECT_EQ(arms[0]["failed"], 1);
    EXPECT_EQ(arms[0]["runs"][1]["status"], "failed");
    EXPECT_TRUE(arms[0]["runs"][1]["val_loss"].is_null());
    EXPECT_EQ(arms[1]["failed"], 0);
    EXPECT_EQ(arms[1]["runs"][1]["status"], "ok");
    EXPECT_EQ(arms[1]["vs_baseline"]["n"], 1) << "a pair of one is no pair";
    EXPECT_NE(render(report, "text", false).find("1 failed"), std::string::npos);
  }
  fs::remove(blocked);
  Comparison again(s, corpus);
  EXPECT_EQ(run(again).size(), 1U);  // "going on in ..."
  EXPECT_EQ(again.store().records.at({0, 0, 2, 1}).status, "ok");
}

TEST_F(ComparisonTest, ReadsBackWhatItWrote) {
  const ComparisonSpec s = spec({"none", "wild: lr=1e30,warmup=0"});
  Comparison first(s, corpus);
  run(first);
  Comparison second(s, corpus);
  EXPECT_TRUE(run(second).empty());
  ASSERT_EQ(second.store().records.size(), 4U);
  for (const auto& [key, record] : first.store().records)
    EXPECT_EQ(to_json(second.store().records.at(key)), to_json(record));
  EXPECT_EQ(first.store().records.at({0, 1, 1, 1}).status, "diverged");
  const Json report = make_report(second, {});
  EXPECT_EQ(report["cells"][0]["arms"][1]["vs_baseline"]["verdict"], "withheld");
  EXPECT_TRUE(report["cells"][0]["arms"][1]["vs_baseline"]["p"].is_null());
}

TEST_F(ComparisonTest, ABaselineThatDivergesWithholdsEveryVerdict) {
  Comparison comparison(spec({"wild: lr=1e30,warmup=0", "none", "dropout=0.1"}), corpus);
  run(comparison);
  const Json report = make_report(comparison, {});
  const Json& arms = report["cells"][0]["arms"];
  EXPECT_EQ(arms[0]["diverged"], 2);
  for (const std::size_t arm : {1U, 2U}) {
    EXPECT_EQ(arms[arm]["diverged"], 0);
    EXPECT_EQ(arms[arm]["vs_baseline"]["verdict"], "withheld");
    EXPECT_TRUE(arms[arm]["vs_baseline"]["diff"].is_null());
  }
}

// Threads and seeds are not part of what a comparison is; everything that changes a loss is.
TEST_F(ComparisonTest, ItsIdentityIsWhatDecidesTheLosses) {
  const ComparisonSpec s = spec({"none", "dropout=0.1"});
  Comparison original(s, corpus);
  EXPECT_FALSE(fs::exists(s.out)) << "looking at a folder makes none";
  original.create();
  ComparisonSpec same = s;
  same.base.threads = 1;
  same.seeds = 9;
  same.margin = 0.1;
  same.equivalent = true;
  EXPECT_NO_THROW(Comparison(same, corpus));
  const auto refused = [&](const auto& change) {
    ComparisonSpec other = s;
    change(other);
    EXPECT_ERROR(Comparison(other, corpus), "holds another comparison");
  };
  refused([](auto& o) { o.base.lr = 0.01; });
  refused([](auto& o) { o.base.budget = "7steps"; });
  refused([](auto& o) { o.base.eval_tokens = 50; });
  refused([](auto& o) { o.epochs = {2}; });
  refused([](auto& o) { o.arms.pop_back(); });
  refused([](auto& o) { std::swap(o.arms[0], o.arms[1]); });
  EXPECT_ERROR(Comparison(s, tests::small_corpus(3001, 300)), "holds another comparison");
}

TEST_F(ComparisonTest, ArmsWhoseNamesDifferInSignsKeepFoldersOfTheirOwn) {
  Comparison comparison(spec({"none", "dropout=0.1,lr=0.001", "dropout=0.1 , lr=0.001"}, 1),
                        corpus);
  std::set<fs::path> folders;
  for (const Arm& arm : comparison.spec().arms)
    folders.insert(comparison.store().run_folder("crops", arm.name, {0, 0, 1, 1}));
  EXPECT_EQ(folders.size(), 3U);
  const fs::path hostile = comparison.store().run_folder("crops", "../../etc", {0, 0, 1, 1});
  EXPECT_EQ(hostile.parent_path().parent_path(), comparison.store().folder() / "crops");
}

}  // namespace
}  // namespace lab
