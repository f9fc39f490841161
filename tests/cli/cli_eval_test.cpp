// `isodrop eval` by the real binary: the training's own figures again, any text, and what is
// refused.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

class CliEval : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(12000));
    folder.write("other.txt", small_text(500, 2));
    const Words args = {"train",    "--text",    "text.txt", "--preset", "tiny",
                        "--n-embd", "16",        "--budget", "60steps",  "--lr",
                        "0.01",     "--dropout", "0.1",      "--out",    "run"};
    const Result r = isodrop(args, folder.path());
    ASSERT_EQ(r.code, 0) << describe(args, r);
  }
  Json eval(const Words& more) const {
    const Words args = Words{"eval", "run", "--format", "json"} + more;
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return json_of(args, r);
  }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  const TempFolder folder;
};

TEST_F(CliEval, SaysWhatTheTrainingSaid) {
  const Json summary = Json::parse(folder.read("run/summary.json"));
  const Json test = eval({}), val = eval({"--split", "val"});
  EXPECT_NEAR(test["loss"], summary["test_loss"], 1e-5);
  EXPECT_NEAR(test["bits_per_byte"], summary["test_bpb"], 1e-5);
  EXPECT_NEAR(val["loss"], summary["val_loss"], 1e-5);
  EXPECT_NEAR(test["perplexity"], std::exp(test["loss"].get<double>()), 1e-9);
  EXPECT_GT(test["accuracy"], 1.0 / 15);
  EXPECT_FALSE(test.contains("temperature")) << "there is nothing left to fit it on";
  const Json noisy = eval({"--evaluation", "mc:4"});
  EXPECT_NE(noisy["loss"], test["loss"]);
  EXPECT_EQ(noisy, eval({"--evaluation", "mc:4", "--threads", "1"}))
      << "masks are a function of the seed";
}

TEST_F(CliEval, MetricsAreChosen) {
  const Json all = eval({}), some = eval({"--metrics", "perplexity,loss"});
  EXPECT_EQ(eval({"--metrics", "all"}), all);
  EXPECT_EQ(some["loss"], all["loss"]);
  EXPECT_EQ(some["perplexity"], all["perplexity"]);
  EXPECT_EQ(some["targets"], all["targets"]);
  EXPECT_FALSE(some.contains("accuracy"));
  EXPECT_NE(
      error({"eval", "run", "--metrics", "loss,perplexty"}).find("did you mean 'perplexity'?"),
      std::string::npos);
  EXPECT_NE(error({"eval", "run", "--metrics", "crps"}).find("not known of these forecasts"),
            std::string::npos);
  EXPECT_NE(error({"eval", "run", "--metrics", "temperature"}).find("no metric 'temperature'"),
            std::string::npos);
}

TEST_F(CliEval, AnyTextThatTheVocabularyCanRead) {
  const Json other = eval({"--text", "other.txt"});
  EXPECT_EQ(other["targets"], 499);
  EXPECT_EQ(other["on"], "other.txt");
  EXPECT_TRUE(std::isfinite(other["loss"].get<double>()));
  folder.write("snow.txt", "eta\xe2\x98\x83oin");
  EXPECT_NE(error({"eval", "run", "--text", "snow.txt"}).find("U+2603) at byte offset 3"),
            std::string::npos);
  folder.write("one.txt", "e");
  EXPECT_NE(error({"eval", "run", "--text", "one.txt"}).find("give at least 2"), std::string::npos);
}

TEST_F(CliEval, AVocabularyOfOneSymbol) {
  for (const auto& [name, n] : {std::pair("a.txt", 900), {"v.txt", 200}, {"t.txt", 300}})
    folder.write(name, std::string(static_cast<std::size_t>(n), 'a'));
  const Words args = {
      "train",        "--text",    "a.txt",
      "--val",        "v.txt",     "--test",
      "t.txt",        "--out",     "one",
      "--preset",     "tiny",      "--n-embd",
      "16",           "--budget",  "3steps",
      "--block-size", "8",         "--dropout",
      "0.1",          "--measure", "calibration+mode_gap+moments+reliability+stability"};
  const Result r = isodrop(args, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  const auto told = [&](const Words& more) {
    const Words asked = Words{"eval", "one", "--format", "json"} + more;
    return json_of(asked, isodrop(asked, folder.path()));
  };
  for (const Words& more :
       {Words{}, {"--split", "val"}, {"--text", "v.txt"}, {"--evaluation", "mc:2"}}) {
    const Json all = told(more);
    for (const char* zero : {"loss", "bits_per_byte", "brier", "ece", "square_ce"})
      EXPECT_NEAR(all[zero], 0, 1e-6) << zero;
    EXPECT_EQ(all["accuracy"], 1);
    EXPECT_EQ(all["perplexity"], 1);
  }
  EXPECT_EQ(told({"--metrics", "loss"})["loss"], 0);
  const Json summary = Json::parse(folder.read("one/summary.json"));
  EXPECT_EQ(summary["temperature"], 1);
  EXPECT_EQ(summary["scaled_loss"], 0);
}

// A folder has <|endoftext|> between its files, whose symbols this vocabulary lacks.
TEST_F(CliEval, AFolderIsReadWithoutTheSeparatorsThatTheVocabularyLacks) {
  folder.write("d/a.txt", small_text(300, 2));
  folder.write("d/b.jsonl", Json{{"text", small_text(100, 4)}}.dump() + "\n" + R"({"text":"eta"})");
  const Json joined = eval({"--text", "d"});
  EXPECT_EQ(joined["targets"], 402);
  folder.write("one.txt", small_text(300, 2) + small_text(100, 4) + "eta");
  EXPECT_EQ(eval({"--text", "one.txt"})["loss"], joined["loss"]);
  // One that is in a file is text like any other.
  folder.write("d/a.txt", "eta<|endoftext|>");
  EXPECT_NE(error({"eval", "run", "--text", "d"}).find("d/a.txt: '<' (U+3C) at byte offset 3"),
            std::string::npos);
  folder.write("d/a.txt", "eta");
  folder.write("d/b.jsonl", "{\"text\":\"oin\"}\n{\"text\":\"e\\u2603\"}\n");
  EXPECT_NE(error({"eval", "run", "--text", "d"})
                .find("d/b.jsonl:2: '\u2603' (U+2603) at byte "
                      "offset 1"),
            std::string::npos);
}

// Where a run's data are is known in every directory; where they went is said by a flag.
TEST_F(CliEval, TheRunsOwnDataAreFoundFromAnywhere) {
  const Json here = eval({"--split", "val"});
  const auto away = [&](const Words& more) {
    const Words args = Words{"eval", "../run", "--format", "json"} + more;
    std::filesystem::create_directories(folder.path() / "away");
    return isodrop(args, folder.path() / "away");
  };
  EXPECT_EQ(Json::parse(away({"--split", "val"}).out), here);
  std::filesystem::rename(folder.path() / "text.txt", folder.path() / "moved.txt");
  const Words args = {"eval", "run", "--split", "val"};
  const std::string gone = error(args);
  EXPECT_NE(gone.find("the text it was trained with"), std::string::npos) << gone;
  EXPECT_NE(gone.find("--split val --text FILE"), std::string::npos) << gone;
  EXPECT_EQ(Json::parse(away({"--split", "val", "--text", "../moved.txt"}).out), here);
  folder.write("third.txt", small_text(12000, 3));
  const std::string wrong = error(args + Words{"--text", "third.txt"});
  EXPECT_NE(wrong.find("was trained on"), std::string::npos) << wrong;
  EXPECT_NE(error(args + Words{"--text", "moved.txt", "--val", "other.txt"})
                .find("trained without such a file"),
            std::string::npos);
  EXPECT_EQ(isodrop({"train", "--resume", "run", "--text", "moved.txt", "--budget", "61steps"},
                    folder.path())
                .code,
            0);
}

TEST_F(CliEval, AValidationTextOfItsOwnIsFound) {
  folder.write("val.txt", small_text(600, 5));
  const Words train = {"train",  "--text",      "text.txt", "--val",        "val.txt", "--preset",
                       "tiny",   "--n-embd",    "16",       "--out",        "two",     "--budget",
                       "2steps", "--tokenizer", "sp:280",   "--block-size", "16"};
  const Result made = isodrop(train, folder.path());
  ASSERT_EQ(made.code, 0) << describe(train, made);
  std::filesystem::rename(folder.path() / "val.txt", folder.path() / "moved.txt");
  EXPECT_NE(error({"eval", "two", "--split", "val"}).find("the val it was trained with"),
            std::string::npos);
  const Words args = {"eval", "two", "--split", "val", "--val", "moved.txt", "--format", "json"};
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 0) << describe(args, r);
  // The splits have other numbers of bytes a token.
  const Json summary = Json::parse(folder.read("two/summary.json"));
  EXPECT_NEAR(json_of(args, r)["bits_per_byte"], summary["val_bpb"], 1e-5);
  const Words test = {"eval", "two", "--val", "moved.txt", "--format", "json"};
  EXPECT_NEAR(json_of(test, isodrop(test, folder.path()))["bits_per_byte"], summary["test_bpb"],
              1e-5);
}

// Of so many symbols the scores of 2,200 targets are all that is in memory at once.
TEST_F(CliEval, ALargeVocabularyIsAskedInPartsThatCountAsOne) {
  std::string text, test;
  for (std::int32_t i = 0; i < 6000; ++i) {
    const auto id = static_cast<std::uint16_t>(i * 7919 % 30'000);
    (i < 3000 ? text : test).append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  folder.write("text.bin", text);
  folder.write("test.bin", test);
  const Words args = {"train", "--text",        "text.bin", "--test",       "test.bin", "--out",
                      "ids",   "--tokenizer",   "ids",      "--preset",     "tiny",     "--n-embd",
                      "16",    "--budget",      "2steps",   "--block-size", "16",       "--lr",
                      "0.01",  "--eval-tokens", "0",        "--batch",      "4"};
  const Result r = isodrop(args, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  const Words asked = {"eval", "ids", "--format", "json"};
  const Json all = json_of(asked, isodrop(asked, folder.path()));
  EXPECT_EQ(all["targets"], 2999);
  EXPECT_NEAR(all["loss"], Json::parse(folder.read("ids/summary.json"))["test_loss"], 1e-4);
}

TEST_F(CliEval, WhatIsWrongIsSaid) {
  EXPECT_NE(error({"eval"}).find("evaluate which run?"), std::string::npos);
  EXPECT_NE(error({"eval", "none"}).find("no such folder"), std::string::npos);
  EXPECT_NE(error({"eval", "run", "--evaluation", "mc:1"}).find("2 to 4096 passes"),
            std::string::npos);
  EXPECT_NE(error({"eval", "run", "--split", "dev"}).find("--split"), std::string::npos);
  folder.write("text.txt", small_text(12000, 3));
  EXPECT_NE(error({"eval", "run"}).find("not the data it was trained on"), std::string::npos);
  // A vocabulary that was edited by hand.
  Json data = Json::parse(folder.read("run/data.json"));
  const Json whole = data;
  for (const Json& pieces : {Json{"b", "a"}, Json{{256}}, Json{1}, Json::array(), Json("ab")}) {
    data["encoding"]["pieces"] = pieces;
    folder.write("run/data.json", data.dump());
    EXPECT_NE(error({"eval", "run", "--text", "other.txt"}).find("data.json"), std::string::npos)
        << pieces;
  }
}

}  // namespace
