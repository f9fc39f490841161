// `isodrop compare` by running the real binary: the document, the other formats, arms that diverge
// or fail, the same command again.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class CliCompare : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(12000));
    folder.write("val.txt", small_text(900, 2));
  }

  Result run(const Words& args) const {
    Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  Json json(const Words& args) const {
    const Json j = json_of(args, run(args + Words{"--format", "json"}));
    EXPECT_FALSE(has_nan(j)) << j;
    return j;
  }

  const TempFolder folder;
  const Words kCommon = {"compare", "--text", "text.txt",     "--preset", "tiny",  "--n-embd", "16",
                         "--batch", "4",      "--block-size", "16",       "--out", "cmp"};
  const Words kRules = {"--min-seeds", "2", "--margin", "0.01"};
  const Words kCompare = kCommon + Words{"--budget", "20steps"} + kRules;
  const Words kThree = {"--arm", "none", "--arm", "dropout=0.1", "--arm", "dropout=0.2"};
};

TEST_F(CliCompare, TheDocumentHasTheSchema) {
  const Json j =
      json(kCompare + Words{"--seeds", "3", "--epochs", "1,4", "--arm", "none", "--arm",
                            "dropout=0.1,weight_decay=0.3", "--arm", "wide: n_embd=24,batch=8"});
  EXPECT_EQ(j["schema"], 3);
  EXPECT_EQ(j["final"], true);
  EXPECT_EQ(j["budget"], "20steps");
  expect_keys(j["corpus"],
              {"name", "tokenizer", "vocab", "hash", "bayes_loss", "bayes_loss_window"});
  EXPECT_TRUE(j["corpus"]["bayes_loss"].is_null());
  ASSERT_EQ(j["builds"].size(), 1U);
  expect_keys(j["builds"][0], {"isodrop", "commit", "source", "compiler", "isa", "onednn"});
  ASSERT_EQ(j["machines"].size(), 1U);
  expect_keys(j["machines"][0], {"cpu", "threads"});
  ASSERT_EQ(j["cells"].size(), 2U);
  for (std::size_t c = 0; c < 2; ++c) {
    const Json& cell = j["cells"][c];
    const double epochs = c == 0 ? 1 : 4;
    EXPECT_EQ(cell["epochs"], epochs);
    EXPECT_EQ(cell["unique_tokens"], 20 * 4 * 16 / static_cast<int>(epochs));
    ASSERT_EQ(cell["arms"].size(), 3U);
    EXPECT_EQ(cell["arms"][1]["name"], "dropout=0.1,weight_decay=0.3");
    EXPECT_EQ(cell["arms"][1]["overrides"], (Json{{"dropout", "0.1"}, {"weight_decay", "0.3"}}));
    EXPECT_EQ(cell["arms"][2]["name"], "wide");
    EXPECT_TRUE(cell["arms"][0]["vs_baseline"].is_null());
    for (const Json& arm : cell["arms"]) {
      expect_keys(arm, {"name", "overrides", "runs", "val_loss", "vs_baseline",
                        "compute_equivalent", "tokens_per_second", "step_time_ratio"});
      ASSERT_EQ(arm["runs"].size(), 3U);
      double sum = 0;
      for (const Json& r : arm["runs"]) {
        expect_keys(r,
                    {"id", "build", "machine", "seed", "status", "val_loss", "best_val_loss",
                     "train_loss", "epochs", "steps", "tokens", "flops", "seconds", "diverged_at"});
        EXPECT_EQ(r["status"], "ok");
        EXPECT_TRUE(r["diverged_at"].is_null());
        sum += r["val_loss"].get<double>();
      }
      EXPECT_NEAR(arm["val_loss"]["mean"].get<double>(), sum / 3, 1e-9);
      EXPECT_GT(arm["tokens_per_second"].get<double>(), 0);
      // One epoch visits the windows that fit behind its offset, so a little less than all.
      const double factor = arm["name"] == "wide" ? 2 : 1;
      EXPECT_NEAR(arm["runs"][0]["epochs"].get<double>() / (epochs * factor), 1.05, 0.05);
      if (arm["vs_baseline"].is_null()) continue;
      expect_keys(arm["vs_baseline"], {"diff", "ci", "p", "p_holm", "verdict", "more_seeds"});
      const double diff = arm["vs_baseline"]["diff"].get<double>();
      EXPECT_NEAR(diff,
                  arm["test_loss"]["mean"].get<double>() -
                      cell["arms"][0]["test_loss"]["mean"].get<double>(),
                  1e-9);
      EXPECT_LT(arm["vs_baseline"]["ci"]["low"].get<double>(), diff);
      EXPECT_GT(arm["vs_baseline"]["ci"]["high"].get<double>(), diff);
      EXPECT_EQ(arm["vs_baseline"]["ci"]["level"], 1 - 0.05 / 4) << "four are tested";
      EXPECT_GT(arm["vs_baseline"]["windows"].get<int>(), 10) << "seeds share the test text";
    }
  }
}

TEST_F(CliCompare, WhatOneSeedCannotTellIsNull) {
  const Json j = json(kCompare + kThree + Words{"--seeds", "1"});
  ASSERT_EQ(j["cells"].size(), 1U);
  EXPECT_TRUE(j["cells"][0]["epochs"].is_null());
  const Json &arms = j["cells"][0]["arms"], &versus = arms[1]["vs_baseline"];
  ASSERT_EQ(arms.size(), 3U);  // none, dropout=0.1, dropout=0.2
  EXPECT_TRUE(arms[0]["val_loss"]["sd"].is_null());
  EXPECT_TRUE(versus["diff"].is_number());
  for (const char* key : {"ci", "p", "p_holm"}) EXPECT_TRUE(versus[key].is_null()) << key;
  EXPECT_EQ(versus["verdict"], "inconclusive");
}

TEST_F(CliCompare, ArmsShareEverythingTheyDoNotName) {
  const Json j = json(kCompare + Words{"--seeds", "2", "--arm", "none", "--arm", "same: beta1=0.9",
                                       "--arm", "other: beta1=0.8"});
  const Json& arms = j["cells"][0]["arms"];
  for (std::size_t s = 0; s < 2; ++s) {
    EXPECT_EQ(arms[1]["runs"][s]["val_loss"], arms[0]["runs"][s]["val_loss"]);
    EXPECT_NE(arms[2]["runs"][s]["val_loss"], arms[0]["runs"][s]["val_loss"]);
  }
  EXPECT_NE(arms[0]["runs"][0]["val_loss"], arms[0]["runs"][1]["val_loss"]);
  EXPECT_EQ(arms[1]["vs_baseline"]["diff"], 0);
  EXPECT_NE(arms[1]["vs_baseline"]["verdict"], "helps");
  EXPECT_NE(arms[1]["vs_baseline"]["verdict"], "hurts");
}

TEST_F(CliCompare, EveryFormatHasEveryArm) {
  const Words args = kCompare + Words{"--seeds", "2", "--arm", "none", "--arm", "b: dropout=0.25"};
  const std::string text = run(args + Words{"--verbose"}).out;
  EXPECT_NE(text.find("crossed with windows of the text"), std::string::npos) << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  const std::string csv = run(args + Words{"--format", "csv"}).out;
  const auto count = [](const std::string& in, char what) {
    return std::count(in.begin(), in.end(), what);
  };
  const std::string header = csv.substr(0, csv.find('\n'));
  EXPECT_NE(header.find("val_loss"), std::string::npos) << csv;
  EXPECT_GE(count(csv, '\n'), 3) << csv;
  EXPECT_EQ(count(csv, ','), count(header, ',') * count(csv, '\n')) << csv;
  const std::string md = run(args + Words{"--format", "md"}).out;
  EXPECT_NE(md.find("| none"), std::string::npos) << md;
  EXPECT_NE(md.find("| b"), std::string::npos) << md;
  EXPECT_EQ(md.find('\x1b'), std::string::npos);
}

TEST_F(CliCompare, ADivergedArmIsCountedAndTheOthersGoOn) {
  const Words args = kCompare + Words{"--seeds", "2",
                                      "--arm",   "none",
                                      "--arm",   "wild: lr=1e30,warmup=0",
                                      "--arm",   "b: dropout=0.1"};
  const Result r = run(args + Words{"--format", "json"});
  EXPECT_NE(r.err.find("wild · seed 1: diverged at step"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("learning rate"), std::string::npos) << r.err;
  const Json j = json_of(args, r);
  const Json& arms = j["cells"][0]["arms"];
  EXPECT_EQ(arms[1]["diverged"], 2);
  EXPECT_EQ(arms[1]["vs_baseline"]["verdict"], "withheld");
  for (const Json& one : arms[1]["runs"]) {
    EXPECT_EQ(one["status"], "diverged");
    EXPECT_TRUE(one["val_loss"].is_null());
    EXPECT_GE(one["diverged_at"].get<int>(), 1);
  }
  EXPECT_TRUE(arms[1]["val_loss"]["mean"].is_null());
  EXPECT_EQ(arms[2]["runs"].size(), 2U);
  EXPECT_EQ(arms[2]["runs"][1]["status"], "ok");
  EXPECT_NE(arms[2]["vs_baseline"]["verdict"], "withheld");
  EXPECT_NE(run(args).out.find("2 diverged"), std::string::npos) << "below the table, too";
}

TEST_F(CliCompare, TheEquivalentTrainsTheFirstArmAtOtherBudgets) {
  const Json j = json(kCommon + kRules +
                      Words{"--budget", "160steps", "--seeds", "2", "--equivalent", "--arm", "none",
                            "--arm", "slow: lr=1e-4"});
  const Json& worth = j["cells"][0]["arms"][1]["compute_equivalent"];
  ASSERT_TRUE(worth.is_object()) << j["cells"][0];
  EXPECT_EQ(worth["text"], "<0.125");
  EXPECT_EQ(worth["ci"]["level"], 0.95);
  EXPECT_EQ(records(folder.path() / "runs").size(), 2U * (2 + 4));
}

TEST_F(CliCompare, AnotherCommandInTheSameFolderIsRefused) {
  run(kCompare + kThree + Words{"--seeds", "2"});
  const auto before = folder.snapshot();
  for (const Words& change : {Words{"--lr", "2e-3"},
                              {"--arm", "none", "--arm", "dropout=0.3"},
                              {"--epochs", "2"},
                              {"--tokenizer", "byte", "--val", "val.txt"}}) {
    const Words args =
        kCompare + (change[0] == "--arm" ? Words{} : kThree) + Words{"--seeds", "2"} + change;
    const std::string error = only_error(args, isodrop(args, folder.path()));
    EXPECT_NE(error.find("cmp"), std::string::npos);
    EXPECT_NE(error.find("choose another folder"), std::string::npos) << error;
    EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << change[0];
  }
}

TEST_F(CliCompare, TrainCompareIsTheSameComparison) {
  Words args =
      kCommon + Words{"--budget", "20steps", "--seeds", "2", "--dropout", "0.2", "--compare"};
  args[0] = "train";
  const Json j = json(args);
  const Json& arms = j["cells"][0]["arms"];
  ASSERT_EQ(arms.size(), 2U);
  EXPECT_TRUE(arms[1]["vs_baseline"]["diff"].is_number());
  Words other = kCompare + Words{"--seeds", "2", "--arm", "none", "--arm", "dropout=0.2"};
  *(std::find(other.begin(), other.end(), "cmp")) = "cmp2";
  const Json compared = json(other);
  for (std::size_t a = 0; a < 2; ++a)
    for (std::size_t s = 0; s < 2; ++s)
      EXPECT_EQ(arms[a]["runs"][s]["val_loss"],
                compared["cells"][0]["arms"][a]["runs"][s]["val_loss"]);
}

}  // namespace
}  // namespace tests
