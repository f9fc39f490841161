// Tuning, shares and rivals from the command line, by the real binary.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

class CliTune : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }
  static Words compare(const Words& more) {
    return Words{"compare", "--text",  "text.txt", "--preset",     "tiny", "--n-embd",
                 "16",      "--batch", "4",        "--block-size", "16",   "--budget",
                 "48steps", "--out",   "cmp",      "--seeds",      "2"} +
           more;
  }
  Json result(const Words& args) const {
    const Words all = args + Words{"--format", "json"};
    const Result r = isodrop(all, folder.path());
    EXPECT_EQ(r.code, 0) << describe(all, r);
    return json_of(all, r);
  }
  std::string error(const Words& more) const {
    const Words args = compare(more);
    return only_error(args, isodrop(args, folder.path()));
  }
  const Words kTuned = {"--arm", "none", "--arm", "lr: lr=1e-5|1e-2", "--tuning-seeds", "1"};
  const TempFolder folder;
};

TEST_F(CliTune, TheChoiceIsMadeOnSeedsOfItsOwnAndWrittenDown) {
  const Json j = result(compare(kTuned + Words{"--keep-weights"}));
  const Json& arms = j["cells"][0]["arms"];
  for (const Json& arm : arms)
    for (const Json& run : arm["runs"])
      EXPECT_TRUE(std::filesystem::exists(folder.path() / "runs" / run["id"].get<std::string>() /
                                          "model.safetensors"))
          << "of the judged runs, which came after the choice";
  EXPECT_TRUE(arms[0]["tuned"].is_null());
  const Json& tuned = arms[1]["tuned"];
  EXPECT_EQ(tuned["chosen"]["lr"], "0.01") << "the rate at which anything is learned";
  EXPECT_EQ(tuned["extended"], 1) << "0.01 is the edge of its grid, so 10 is tried, too";
  EXPECT_EQ(tuned["edge"], false);
  ASSERT_EQ(tuned["trials"].size(), 3U);
  EXPECT_EQ(tuned["trials"][2]["set"]["lr"], "10");
  EXPECT_EQ(tuned["trials"][0]["set"]["lr"], "1e-05");
  EXPECT_GT(tuned["flops"].get<double>(), 0);
  EXPECT_EQ(arms[1]["runs"].size(), 2U);
  for (const Json& run : arms[1]["runs"]) EXPECT_LT(run["seed"].get<int>(), 10'000);
  const std::string written = folder.read("cmp/tuning.json");
  const Json again = result(compare(kTuned));
  EXPECT_EQ(again["cells"][0]["arms"][1]["tuned"], tuned);
  EXPECT_EQ(folder.read("cmp/tuning.json"), written);
  // Changed by hand it is no choice of this comparison.
  std::string edited = written;
  edited.replace(edited.find("\"extended\": 1"), 13, "\"extended\": 2");
  folder.write("cmp/tuning.json", edited);
  EXPECT_NE(error(kTuned).find("edited by hand"), std::string::npos);
}

TEST_F(CliTune, ArmsWithFewerChoicesGetMoreSeeds) {
  const Json j = result(compare({"--arm", "a: none,budget_share=0.5|1", "--arm",
                                 "b: dropout=0.1|0.2,beta1=0.8|0.9", "--tuning-seeds", "1"}));
  const auto runs = [&](std::size_t arm, std::size_t trial) {
    return j["cells"][0]["arms"][arm]["tuned"]["trials"][trial]["runs"].get<int>();
  };
  EXPECT_EQ(runs(0, 0), 2);
  EXPECT_EQ(runs(1, 0), 1);
}

// The rate's edge is chosen, so that the plan has a second part of the tuning, and makes no run.
TEST_F(CliTune, ThePlanHasTheTuningFirst) {
  const auto plan = [&](const std::string& dir) {
    const Words args = compare(kTuned + Words{"--plan", dir});
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r.out;
  };
  const auto make = [&](const std::string& dir) {
    int specs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / dir)) {
      ++specs;
      isodrop({"run", entry.path().string()}, folder.path());
    }
    return specs;
  };
  EXPECT_NE(plan("first").find("Tuning comes first"), std::string::npos);
  EXPECT_EQ(make("first"), 2);
  EXPECT_NE(plan("second").find("Tuning comes first"), std::string::npos);
  EXPECT_EQ(make("second"), 1) << "the rate beyond the edge";
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "cmp"));
  EXPECT_EQ(plan("third").substr(0, 6), "4 of 4");
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "cmp/tuning.json")) << "the choice is frozen";
  EXPECT_EQ(make("third"), 4);
  EXPECT_EQ(plan("fourth").substr(0, 6), "0 of 4");
}

// What could not be made must not decide what is chosen.
TEST_F(CliTune, NothingIsChosenWhileARunIsMissing) {
  ASSERT_EQ(isodrop(compare(kTuned + Words{"--plan", "specs"}), folder.path()).code, 0);
  const auto id =
      std::filesystem::directory_iterator(folder.path() / "specs")->path().stem().string();
  const auto in_the_way = folder.path() / "runs" / id / "metrics.jsonl" / "x";
  std::filesystem::create_directories(in_the_way);
  const Words args = compare(kTuned);
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 1) << describe(args, r);
  EXPECT_NE(r.err.find("a run of the tuning could not be made"), std::string::npos) << r.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "cmp/tuning.json"));
  EXPECT_NE(r.err.find("Not final: the choices so far"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find(" val loss  difference"), std::string::npos) << r.err;
  EXPECT_EQ(r.err.find("test loss"), std::string::npos) << "not looked at before the choice";
  std::filesystem::remove_all(in_the_way.parent_path());
  EXPECT_EQ(isodrop(args, folder.path()).code, 0) << "the same command goes on";
}

TEST_F(CliTune, SharesTrainEveryArmAndTellTheTrend) {
  const Json j = result(compare(
      {"--arm", "none", "--arm", "slow: lr=1e-3", "--shares", "0.5,1,2", "--min-seeds", "2"}));
  const Json& arm = j["cells"][0]["arms"][1];
  ASSERT_EQ(arm["shares"].size(), 3U);
  EXPECT_EQ(arm["shares"][0]["share"], 0.5);
  EXPECT_EQ(arm["shares"][2]["share"], 2);
  EXPECT_NEAR(arm["shares"][1]["diff"]["mean"].get<double>(),
              arm["vs_baseline"]["diff"].get<double>(), 1e-12);
  EXPECT_TRUE(arm["trend"]["mean"].is_number());
  EXPECT_TRUE(arm["compute_equivalent"]["ci"]["low"].is_object());
  EXPECT_TRUE(arm["at_equal_seconds"].is_object());
}

TEST_F(CliTune, TheSplitsAndTheRulesAreSaid) {
  const Json j = result(compare({"--arm", "none", "--arm", "b: dropout=0.1"}));
  EXPECT_EQ(j["rules"]["metric"], "test_loss");
  EXPECT_TRUE(j["rules"]["margin"].is_null());
  EXPECT_EQ(j["rules"]["min_seeds"], 8);
  const Json& v = j["cells"][0]["arms"][1]["vs_baseline"];
  EXPECT_EQ(v["verdict"], "inconclusive") << "two seeds are too few";
  EXPECT_NEAR(v["margin"].get<double>(), j["cells"][0]["arms"][0]["test_loss"]["sd"].get<double>(),
              1e-12);
  EXPECT_EQ(v["more_seeds"][0], 6);
}

TEST_F(CliTune, OneLineForEveryMistake) {
  const Words arms = {"--arm", "none", "--arm", "b: dropout=0.1"};
  for (const auto& [more, parts] : std::vector<std::pair<Words, Words>>{
           {{"--tune", "lr"}, {"--tune 'lr'", "SETTING=V1,V2"}},
           {{"--tune", "lr=0.1,x"}, {"--tune", "'x'"}},
           {{"--tune", "lr=-1,2"}, {"lr", "-1"}},
           {{"--tune", "seed=1,2"}, {"seed cannot be tuned", "paired by seed"}},
           {{"--tune", "text=a,b"}, {"text cannot be tuned"}},
           {{"--tune", "lrr=1,2"}, {"unknown setting 'lrr'", "lr"}},
           {{"--tune", "budget_share=0.5,2"}, {"spends more than the budget"}},
           {{"--tune", "budget_share=0.001,1"}, {"less than one step"}},
           {{"--tune", "lr=1,1.0"}, {"given twice"}},
           {{"--trials", "3"}, {"--trials", "nothing is tuned"}},
           {{"--shares", "0.5"}, {"--shares '0.5'", "1, the whole budget"}},
           {{"--shares", "1,x"}, {"'x' is no share"}},
           {{"--shares", "1,0.001"}, {"less than one step"}},
           {{"--shares", "0.5,1", "--equivalent"}, {"--shares with --equivalent"}},
           {{"--rivals"}, {"--rivals with --arm"}},
           {{"--test-fraction", "0.95"}, {"leave nothing to train on"}},
           {{"--val", "text.txt"}, {"a file in common with text"}},
           {{"--min-seeds", "1"}, {"--min-seeds"}}}) {
    const std::string said = error(arms + more);
    for (const std::string& part : parts)
      EXPECT_NE(said.find(part), std::string::npos) << part << " not in " << said;
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "cmp")) << more[0];
  }
}

TEST_F(CliTune, RivalsAreListed) {
  const Result r = isodrop({"list", "rivals"}, folder.path());
  EXPECT_EQ(r.code, 0);
  for (const char* name : {"none", "early_stop", "weight_decay", "smaller", "dropout+weight_decay"})
    EXPECT_NE(r.out.find(name), std::string::npos) << name;
  const Words args = compare({"--rivals", "--dry-run", "--format", "json"});
  const Json j = json_of(args, isodrop(args, folder.path()));
  // Five choices and two seeds each for five arms, and two judging seeds for six; some are the
  // same.
  EXPECT_GT(j["runs"], 50);
  EXPECT_LE(j["runs"], 5 * 5 * 2 + 6 * 2);
}

TEST_F(CliTune, TheDefaultIsBothRegimesAndLittleTuning) {
  ASSERT_EQ(isodrop({"compare", "--plan", "specs"}, folder.path()).code, 0);
  std::map<std::int64_t, int> specs;  // by unique tokens
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "specs")) {
    const Json spec = Json::parse(folder.read(entry.path()));
    ++specs[spec["settings"]["unique_tokens"].get<std::int64_t>()];
    EXPECT_GT(spec["settings"]["seed"].get<int>(), 10'000) << "Tuning comes first";
  }
  // Seen once and 256 times, each three shares of none and three rates of dropout on one seed.
  EXPECT_EQ(specs, (std::map<std::int64_t, int>{{1'024'000, 6}, {4'000, 6}}));
}

}  // namespace
