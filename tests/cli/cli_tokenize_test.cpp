// Tokenizers by the real binary: trained, kept with the run, asked for other text.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

const std::string kGolden = ISODROP_SOURCE_DIR "/tests/golden/bpe";

class CliTokenize : public testing::Test {
 protected:
  CliTokenize() { folder.write("text.txt", small_text(12000)); }
  Result ok(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  void train(const std::string& text, const std::string& tokenizer, const std::string& out) const {
    ok({"train", "--text", text, "--tokenizer", tokenizer, "--preset", "tiny", "--n-embd", "16",
        "--budget", "4steps", "--block-size", "8", "--out", out});
  }
  Json eval(const std::string& run, const std::string& text) const {
    const Words args = {"eval", run, "--text", text, "--format", "json"};
    return json_of(args, ok(args));
  }
  const TempFolder folder;
};

TEST_F(CliTokenize, TrainsEncodesAndDecodes) {
  ok({"tokenize", "train", "--text", "text.txt", "--vocab", "300", "--out", "m.model"});
  ok({"tokenize", "train", "--text", "text.txt", "--vocab", "300", "--out", "n.model"});
  EXPECT_EQ(folder.read("m.model"), folder.read("n.model"));
  for (const std::string& how : {std::string("sp:m.model"), "gpt2:" + kGolden}) {
    for (const char* out : {"ids.bin", "ids.txt"}) {
      ok({"tokenize", "encode", "--text", "text.txt", "--tokenizer", how, "--out", out});
      const Result r = ok({"tokenize", "decode", "--ids", out, "--tokenizer", how});
      EXPECT_EQ(r.out, folder.read("text.txt"));
    }
  }
  EXPECT_NE(error({"tokenize"}).find("tokenize how?"), std::string::npos);
  EXPECT_NE(error({"tokenize", "cut"}).find("train, encode, decode"), std::string::npos);
  EXPECT_NE(error({"tokenize", "train", "--text", "text.txt", "--vocab", "300", "--out", "no/m"})
                .find("--out"),
            std::string::npos);
}

TEST_F(CliTokenize, ARunKeepsItsTokenizer) {
  folder.write("other.jsonl", "{\"text\":\"Grüße: dropout\"}\n{\"text\":\"is\\n 0.1\"}\n");
  for (const std::string& how : {std::string("sp:290"), "gpt2:" + kGolden}) {
    train("text.txt", how, "run");
    const Json data = Json::parse(folder.read("run/data.json"));
    const std::string file = data["encoding"]["file"];
    const Json there = eval("run", "other.jsonl");
    EXPECT_GT(there["bits_per_byte"], 0);
    // The bytes are those of the text, whatever the tokens.
    EXPECT_NEAR(
        there["bits_per_byte"].get<double>() * std::log(2.0) * 36 / there["loss"].get<double>(),
        there["targets"].get<double>() + 1, 1e-6);
    const std::string kept = folder.read("run/" + file);
    folder.write("run/" + file, kept + " ");
    EXPECT_NE(error({"eval", "run", "--text", "other.jsonl"}).find("not the tokenizer that"),
              std::string::npos);
    std::filesystem::remove(folder.path() / "run" / file);
    EXPECT_NE(error({"eval", "run", "--text", "other.jsonl"}).find("no such file"),
              std::string::npos);
  }
  train("text.txt", "char", "run");
  train("text.txt", "sp:290", "run");
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run/tokenizer.model"));
  train("text.txt", "char", "run");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/tokenizer.model"))
      << "moved away with the run it was of";
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run/previous/tokenizer.model"));
}

TEST_F(CliTokenize, TrainsOnTokenIds) {
  const std::string how = "gpt2:" + kGolden;
  ok({"tokenize", "encode", "--text", "text.txt", "--tokenizer", how, "--out", "a.bin"});
  train("a.bin", "ids", "ids");
  const Json ids = Json::parse(folder.read("ids/summary.json"));
  EXPECT_TRUE(ids["test_bpb"].is_null());
  EXPECT_FALSE(eval("ids", "a.bin").contains("bits_per_byte"));
  EXPECT_NE(
      error({"eval", "ids", "--text", "text.txt"}).find("trained on token ids without a tokenizer"),
      std::string::npos);
  train("a.bin", how, "known");
  EXPECT_EQ(eval("known", "a.bin")["bits_per_byte"], eval("known", "text.txt")["bits_per_byte"]);
}

// 32-bit ids without a header look like twice as many of 16 bits, every second one 0.
TEST_F(CliTokenize, WideIdsAreReadAsWhatTheyAre) {
  std::vector<std::int32_t> wide;
  for (int i = 0; i < 2000; ++i) wide.push_back(i * 7919 % 600);
  folder.write("u.bin", {reinterpret_cast<const char*>(wide.data()), wide.size() * 4});
  const Words train = {"train",    "--text", "u.bin",        "--preset", "tiny",  "--n-embd", "16",
                       "--budget", "2steps", "--block-size", "8",        "--out", "wide"};
  EXPECT_NE(error(train).find("u.bin' looks like 32-bit ids"), std::string::npos);
  EXPECT_NE(error({"eval", "none", "--bin-type", "uint32"}).find("does nothing without --text"),
            std::string::npos);
  ok(train + Words{"--bin-type", "uint32"});
  const Json own = json_of({}, ok({"eval", "wide", "--format", "json"}));
  EXPECT_EQ(own["targets"], 199);
  EXPECT_NE(error({"eval", "wide", "--text", "u.bin"}).find("looks like 32-bit ids"),
            std::string::npos);
  ok({"eval", "wide", "--text", "u.bin", "--bin-type", "uint32"});
  EXPECT_NE(error({"train", "--text", "text.txt", "--bin-type", "uint32", "--out", "no"})
                .find("has no effect without token ids"),
            std::string::npos);
  const Result text = ok({"tokenize", "decode", "--ids", "u.bin", "--bin-type", "uint32",
                          "--tokenizer", "gpt2:" + kGolden});
  EXPECT_GT(text.out.size(), 2000U);
  EXPECT_NE(error({"tokenize", "decode", "--ids", "u.bin", "--tokenizer", "gpt2:" + kGolden})
                .find("looks like 32-bit ids"),
            std::string::npos);
}

// Where a model lies is no part of what a run is.
TEST_F(CliTokenize, RunsAreKnownByTheTokenizersContent) {
  ok({"tokenize", "train", "--text", "text.txt", "--vocab", "290", "--out", "a.model"});
  folder.write("sub/b.model", folder.read("a.model"));
  const auto id = [&](const std::string& how) {
    train("text.txt", how, "run");
    return Json::parse(folder.read("run/summary.json"))["id"];
  };
  const Json a = id("sp:a.model");
  EXPECT_EQ(id("sp:sub/b.model"), a);
  EXPECT_NE(id("sp:291"), a);
  const Words compare = {
      "compare",  "--text", "text.txt",     "--tokenizer", "sp:a.model", "--preset", "tiny",
      "--n-embd", "16",     "--block-size", "8",           "--budget",   "4steps",   "--arm",
      "none",     "--arm",  "dropout=0.1",  "--seeds",     "1",          "--out",    "cmp"};
  ok(compare);
}

}  // namespace
