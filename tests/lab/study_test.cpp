// A study below the command line: its points, its cells, what it is called, what it is.
#include "lab/study/study.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "lab/runs/spec.h"
#include "lab/study/folder.h"
#include "lab/study/levels.h"
#include "lab/study/tuning.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "train/config/architecture.h"

namespace lab {
namespace {

double flops(const train::Settings& s) { return models::flops_per_token(train::gpt_config(s, 28)); }

Study small(const std::vector<std::string>& arms, std::int64_t seeds = 2) {
  Study s;
  s.base.n_layer = 1;
  s.base.n_head = 2;
  s.base.n_embd = 16;
  s.base.block_size = 8;
  s.base.batch = 4;
  s.base.budget = "6steps";
  for (const Arm& arm : parse_arms(arms, s.base)) s.arms.push_back({arm.name, arm.overrides});
  s.seeds = seeds;
  return s;
}

TEST(Study, MakesEveryArmBeforeTheNextSeed) {
  Study s = small({"none", "dropout=0.1"});
  s.cells = epoch_cells(s.base, {{}}, {1, 4}, flops);
  const std::vector<Point> all = points(s);
  ASSERT_EQ(all.size(), 8U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].seed, 1 + i / 4);
  EXPECT_EQ(std::set<Point>(all.begin(), all.end()).size(), 8U);
}

TEST(Study, OtherSharesAreForTheBaselineAlone) {
  Study s = small({"none", "dropout=0.1"}, 1);
  s.shares = share_levels({0.25, 2});
  const std::vector<Point> all = points(s);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(settings_at(s, all[0]).budget_share, 1);
  EXPECT_EQ(settings_at(s, all[2]).budget_share, 0.25);
  EXPECT_EQ(settings_at(s, all[3]).budget_share, 2);
  EXPECT_EQ(all[2].arm, 0U);
  EXPECT_EQ(label(s, all[2]), "none · seed 1 · 0.25 × budget");
  s.base.budget_share = 0.5;  // a share of a share
  EXPECT_EQ(settings_at(s, all[2]).budget_share, 0.125);
}

TEST(Study, UniqueDataIsTheFirstArmsTokensByEpochs) {
  const Study s = small({"none"});
  const auto cells = epoch_cells(s.base, {{}}, {1, 2, 3}, flops);
  ASSERT_EQ(cells.size(), 3U);
  const auto unique = [&](std::size_t cell) { return with(s.base, cells[cell]).unique_tokens; };
  EXPECT_EQ(unique(0), 192);
  EXPECT_EQ(unique(1), 96);
  EXPECT_EQ(unique(2), 64);
  EXPECT_EQ(title(s.base, cells[0]), "192 unique tokens, seen once");
  EXPECT_EQ(title(s.base, cells[2]), "64 unique tokens, seen 3 times");
  EXPECT_ERROR(epoch_cells(s.base, {{}}, {2, 2}, flops), "given twice");
  EXPECT_ERROR(epoch_cells(s.base, {{}}, {100}, flops), "less than one window");
}

TEST(Study, AnySettingMayBeAnAxis) {
  Study s = small({"none", "warm: warmup=0.2"});
  s.cells = product({level_of("n_embd", "16", ""), level_of("n_embd", "32", "")},
                    {level_of("lr", "1e-2", "")});
  ASSERT_EQ(s.cells.size(), 2U);
  EXPECT_EQ(s.cells[1].name, "n_embd=32,lr=0.01");
  EXPECT_EQ(settings_at(s, {1, 0, 0, 1}).n_embd, 32);
  EXPECT_EQ(settings_at(s, {1, 0, 0, 1}).lr, 0.01);
  EXPECT_EQ(settings_at(s, {1, 1, 0, 1}).n_embd, 32);
  EXPECT_EQ(settings_at(s, {1, 1, 0, 1}).warmup, 0.2);
  EXPECT_EQ(title(s.base, s.cells[1]), "n_embd=32, lr=0.01: all training text, randomly sampled");
  // Unique data is sized cell by cell: FLOPs buy fewer tokens of a wider model.
  s.base.budget = "3e7flops";
  const auto cells = epoch_cells(s.base, {s.cells[0], s.cells[1]}, {1}, flops);
  EXPECT_GT(with(s.base, cells[0]).unique_tokens, with(s.base, cells[1]).unique_tokens);
  EXPECT_ERROR(product({level_of("lr", "1", "")}, {level_of("lr", "2", "")}), "two axes set lr");
}

TEST(Study, WhatIsTooLargeSaysHowLargeBeforeItTakesMemory) {
  Study s = small({"none", "dropout=0.1"});
  s.seeds = 10'000;
  s.cells.assign(50, {});
  EXPECT_EQ(points(s).size(), 1'000'000U);
  s.cells.assign(51, {});
  EXPECT_ERROR(points(s), "1 020 000 runs are too many, a study has at most 1 000 000; give fewer");
  const std::vector<Level> many(1001), more(1000);
  EXPECT_ERROR(product(many, more), "1 001 000 cells of all axes together are too many");
  Level arm;
  arm.grid.assign(3, {"lr", std::vector<std::string>(300, "1")});
  EXPECT_ERROR(choices_of(arm), "27 000 000 choices for an arm, each a run or more, are too many");
  arm.grid.assign(30, arm.grid.front());
  EXPECT_ERROR(choices_of(arm), "e+74 choices");
}

TEST(Study, SeedsAreWholeNumbersToTheEnd) {
  Study s = small({"none", "dropout=0.1"});
  s.base.seed = (std::uint64_t{1} << 53) + 1;
  const std::vector<Point> all = points(s);
  EXPECT_EQ(all.front().seed, (std::uint64_t{1} << 53) + 1);
  EXPECT_EQ(all.back().seed, (std::uint64_t{1} << 53) + 2);
  s.base.seed = std::numeric_limits<std::uint64_t>::max();
  EXPECT_ERROR(points(s), "beyond the largest seed");
}

// Threads and seeds are not part of what a comparison is; everything that changes a loss is.
TEST(Study, ItsIdentityIsWhatDecidesTheLosses) {
  const Study s = small({"none", "dropout=0.1"});
  const std::vector<std::string> data = {"a"};
  Study same = s;
  same.base.threads = 1;
  same.base.recompute = true;
  same.base.text = "elsewhere.txt";
  same.seeds = 9;
  same.margin = 0.1;
  same.shares = share_levels({0.5});
  EXPECT_EQ(identity(same, data), identity(s, data));
  const auto other = [&](const auto& change) {
    Study o = s;
    change(o);
    EXPECT_NE(identity(o, data), identity(s, data));
  };
  other([](auto& o) { o.base.lr = 0.01; });
  other([](auto& o) { o.base.budget = "7steps"; });
  other([](auto& o) { o.base.eval_tokens = 50; });
  other([](auto& o) { o.cells = epoch_cells(o.base, {{}}, {2}, flops); });
  other([](auto& o) { o.arms.pop_back(); });
  other([](auto& o) { std::swap(o.arms[0], o.arms[1]); });
  EXPECT_NE(identity(s, {"b"}), identity(s, data));
  Study timed = s, threaded = s;
  timed.base.budget = threaded.base.budget = "5s";
  threaded.base.threads = 7;
  EXPECT_NE(identity(timed, data), identity(threaded, data)) << "a budget of time hangs on them";
}

TEST(StudyFolder, HoldsOneStudyAndSaysHowAnotherDiffers) {
  const tests::TempFolder folder;
  const auto path = folder.path() / "cmp";
  const Json one = {{"settings", {{"lr", 0.1}}}}, other = {{"settings", {{"lr", 0.2}}}};
  const StudyFolder first(path, one);
  EXPECT_FALSE(std::filesystem::exists(path)) << "looking at a folder makes none";
  first.create();
  first.save("x.json", Json{1});
  EXPECT_EQ(StudyFolder(path, one).load("x.json"), Json{1});
  EXPECT_EQ(first.load("none.json"), Json(nullptr));
  EXPECT_ERROR(StudyFolder(path, other), "settings.lr is 0.1 there, 0.2 here");
  EXPECT_ERROR(refuse_study(path), "holds a comparison");
  EXPECT_NE(StudyFolder("", one).path(), StudyFolder("", other).path());
}

// Two commands may begin at once, and one be killed while it writes down what the folder holds.
TEST(StudyFolder, IsNotTakenByWhoHasOnlyBegunToWrite) {
  const tests::TempFolder folder;
  const Json one = {{"settings", {{"lr", 0.1}}}};
  folder.write("cmp/study.json.12.tmp", "{");
  StudyFolder(folder.path() / "cmp", one).create();
  EXPECT_EQ(Json::parse(folder.read("cmp/study.json")), one);
  folder.write("other/notes.txt", "mine");
  EXPECT_ERROR(StudyFolder(folder.path() / "other", one), "holds no comparison");
  EXPECT_ERROR(StudyFolder(folder.path() / "other" / "notes.txt", one), "holds no comparison");
}

TEST(Study, SaysWhichArmDoesNotFitWhichCell) {
  Study s = small({"none", "a: n_head=4"});
  s.cells = {level_of("n_embd", "12", ""), level_of("n_embd", "18", "")};
  EXPECT_ERROR(validate(s), "arm 'a' in n_embd=18: n_head=4");
  // The arm would win, and the tables be the same.
  s.cells = {level_of("n_head", "2", ""), level_of("n_head", "1", "")};
  EXPECT_ERROR(validate(s), "arm 'a' and an axis both set n_head");
}

}  // namespace
}  // namespace lab
