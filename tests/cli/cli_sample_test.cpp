// `isodrop sample` by the real binary: the same text for a seed, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

class CliSample : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(12000));
    train({"--out", "run"});
  }
  void train(const Words& more) const {
    const Words args =
        Words{"train",    "--text",  "text.txt", "--preset", "tiny",         "--n-embd", "16",
              "--budget", "30steps", "--lr",     "0.01",     "--block-size", "16"} +
        more;
    const Result r = isodrop(args, folder.path());
    ASSERT_EQ(r.code, 0) << describe(args, r);
  }
  std::string text(const Words& more) const {
    const Words args = Words{"sample", "run"} + more;
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    EXPECT_EQ(r.err, "");
    return r.out;
  }
  std::string error(const Words& more) const {
    const Words args = Words{"sample"} + more;
    return only_error(args, isodrop(args, folder.path()));
  }
  const TempFolder folder;
};

TEST_F(CliSample, TheSameTextForASeedOnAnyNumberOfThreads) {
  const std::string one = text({"--prompt", "tea", "--tokens", "80", "--threads", "1"});
  EXPECT_TRUE(one.starts_with("tea")) << one;
  EXPECT_EQ(one.size(), 3U + 80 + 1) << "prompt, tokens of a byte, a line end";
  EXPECT_EQ(text({"--prompt", "tea", "--tokens", "80", "--threads", "3"}), one);
  EXPECT_NE(text({"--prompt", "tea", "--tokens", "80", "--seed", "2"}), one);
  const std::string two = text({"--prompt", "tea", "--tokens", "80", "-n", "2"});
  EXPECT_TRUE(two.starts_with(one)) << "the first text is the same however many there are";
  EXPECT_NE(two.find("\n---------------\ntea"), std::string::npos);
}

// Whatever the value of a flag is, both ways to write it give the same.
TEST_F(CliSample, APromptMayBeAnyText) {
  const std::string lines = small_text(400) + "\ntea\n\n tea";
  const std::string one = text({"--prompt", lines, "--tokens", "5"});
  EXPECT_TRUE(one.starts_with(lines)) << one;
  EXPECT_EQ(text({"--prompt=" + lines, "--tokens", "5"}), one);
  const std::string large = small_text(100'000);
  EXPECT_TRUE(text({"--prompt=" + large, "--tokens", "1"}).starts_with(large)) << "of any size";
  EXPECT_NE(error({"run", "--prompt=tea\r\n"}).find("U+D at byte offset 3"), std::string::npos);
  EXPECT_NE(error({"run", "--prompt=--tea"}).find("'-' (U+2D) at byte offset 0"), std::string::npos)
      << "no flag behind '='";
  EXPECT_NE(error({"run", "--prompt",
                   "\x01"
                   "0"})
                .find("U+1 at byte offset 0"),
            std::string::npos);
  EXPECT_NE(error({"run",
                   "--prompt=\x01"
                   "0"})
                .find("U+1 at byte offset 0"),
            std::string::npos);
  EXPECT_NE(error({"run", "--promt=a\nb"}).find("unknown flag '--promt'; did you mean '--prompt'?"),
            std::string::npos);
  EXPECT_NE(error({"run", "--top-p=a\nb"}).find("--top-p 'a\\x0ab'"), std::string::npos);
  EXPECT_NE(error({"run", "--", "x\n\x01y"}).find("unexpected argument 'x\\x0a\\x01y'"),
            std::string::npos);
  EXPECT_NE(error({"run", "-" + std::string(100'000, 'x')}).find("unknown flag '-xxx"),
            std::string::npos);
}

TEST_F(CliSample, JsonHasWhatTheTextHas) {
  const Words args = {"sample", "run", "--prompt", "tea", "--tokens", "20", "--format", "json"};
  const Json json = json_of(args, isodrop(args, folder.path()));
  expect_keys(json, {"schema", "run", "prompt", "temperature", "top_k", "top_p", "seed",
                     "block_size", "keep", "samples"});
  EXPECT_EQ(json["schema"], "isodrop-sample-1");
  EXPECT_EQ(json["keep"], 8);
  const Json& sample = json["samples"][0];
  EXPECT_EQ("tea" + sample["text"].get<std::string>() + "\n",
            text({"--prompt", "tea", "--tokens", "20"}));
  ASSERT_EQ(sample["tokens"].size(), 20U);
  std::string joined;
  for (const Json& token : sample["tokens"]) {
    joined += token["text"].get<std::string>();
    EXPECT_LE(token["log_probability"].get<double>(), 0);
  }
  EXPECT_EQ(joined, sample["text"]);
  const Words both = args + Words{"-n", "2"};
  const Json two = json_of(both, isodrop(both, folder.path()))["samples"];
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0], sample);
  EXPECT_EQ("tea" + two[0]["text"].get<std::string>() + "\n---------------\ntea" +
                two[1]["text"].get<std::string>() + "\n",
            text({"--prompt", "tea", "--tokens", "20", "-n", "2"}))
      << "each has draws of its own";
}

TEST_F(CliSample, WhatIsWrongIsSaid) {
  const auto says = [&](const Words& args, const char* what) {
    EXPECT_NE(error(args).find(what), std::string::npos) << error(args);
  };
  says({}, "generate with which model?");
  says({"none"}, "no such folder");
  says({"run", "--prompt", "te\xe2\x98\x83"}, "--prompt: ");
  says({"run", "--prompt", "te\xe2\x98\x83"}, "at byte offset 2");
  says({"run", "--prompt", "te\xff"}, "not UTF-8 at byte offset 2");
  says({"run", "--prompt="}, "--prompt needs a value");
  says({"run", "--temperature", "-1"}, "--temperature");
  says({"run", "--temperature", "nan"}, "--temperature");
  says({"run", "--top-k", "0"}, "--top-k");
  says({"run", "--top-p", "0"}, "leaves nothing to draw");
  says({"run", "--tokens", "0"}, "--tokens");
  says({"run", "-n", "0"}, "--samples");
  says({"run", "--keep", "17"}, "in [1, 16]");
  says({"run", "--seed", "x"}, "--seed");
}

TEST_F(CliSample, GreedyNeedsNoSeed) {
  const Words greedy = {"--prompt", "tea", "--tokens", "40", "--temperature", "0"};
  EXPECT_EQ(text(greedy + Words{"--seed", "1"}), text(greedy + Words{"--seed", "9"}));
}

TEST_F(CliSample, ARunOfAnotherTaskHasNoText) {
  const Words args = {"train",    "--task", "in_context", "--preset", "tiny",  "--block-size", "8",
                      "--n-embd", "16",     "--budget",   "2steps",   "--out", "regression"};
  const Result r = isodrop(args, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  EXPECT_NE(error({"regression"}).find("was trained on the task 'in_context'"), std::string::npos);
}

TEST_F(CliSample, WithoutALineEndAPromptIsNeeded) {
  std::string words = small_text(12000);
  std::replace(words.begin(), words.end(), '\n', ' ');
  folder.write("text.txt", words);
  train({"--out", "words"});
  EXPECT_NE(error({"words"}).find("give a --prompt"), std::string::npos);
  train({"--out", "watched", "--log", "tensorboard"});  // a text is drawn there all the same
}

}  // namespace
