// Weights in and out by the real binary: train, export, go on from what was exported.
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

class CliWeights : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(12000));
    run(train("first", {"--budget", "30steps"}));
  }
  static Words train(const std::string& out, const Words& more) {
    return Words{"train",        "--text", "text.txt", "--preset", "tiny",  "--n-embd", "16",
                 "--block-size", "16",     "--lr",     "0.01",     "--out", out} +
           more;
  }
  Result run(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  double val_loss(const std::string& name) const {
    return Json::parse(folder.read(name + "/summary.json"))["val_loss"];
  }
  const TempFolder folder;
};

TEST_F(CliWeights, ARunGoesOnFromAnotherAndFromItsExport) {
  const auto begin = [&](const std::string& out, const std::string& from) {
    Words args = train(out, {"--budget", "1steps", "--init-from", from});
    args[10] = "0";  // a learning rate of 0 leaves them as they are
    run(args);
  };
  begin("second", "first");
  EXPECT_DOUBLE_EQ(val_loss("second"), val_loss("first"));
  run({"export", "first", "--hf", "hf"});
  begin("third", "hf");
  EXPECT_DOUBLE_EQ(val_loss("third"), val_loss("first"));
  const auto id = [&](const char* name) {
    return Json::parse(folder.read(std::string(name) + "/summary.json"))["id"];
  };
  begin("fourth", "second/model.safetensors");
  EXPECT_EQ(id("fourth"), id("second")) << "the same weights, wherever they lie";
  EXPECT_NE(id("third"), id("first"));
}

// The tokenizer goes along in the form that each kind has, and is that of the data again.
TEST_F(CliWeights, TheTokenizerGoesAlong) {
  const std::string bpe = std::string(ISODROP_SOURCE_DIR) + "/tests/golden/bpe/";
  run(train("bpe", {"--budget", "1steps", "--tokenizer", "gpt2:" + bpe + "tokenizer.json"}));
  run({"export", "bpe", "--hf", "hf"});
  EXPECT_EQ(Json::parse(folder.read("hf/tokenizer.json"))["model"]["vocab"],
            Json::parse(std::ifstream(bpe + "tokenizer.json"))["model"]["vocab"]);
  const Words again = {"--budget", "1steps", "--init-from", "hf", "--tokenizer"};
  Words same = again, other = again;
  same.push_back("gpt2:hf/tokenizer.json");
  run(train("again", same));
  run(train("pieces", {"--budget", "1steps", "--tokenizer", "sp:290"}));
  const Result sp = run({"export", "pieces", "--hf", "hf-sp"});
  EXPECT_NE(sp.out.find("tokenizer.model"), std::string::npos);
  EXPECT_EQ(folder.read("hf-sp/tokenizer.model"), folder.read("pieces/tokenizer.model"));
  other.push_back("char");
  EXPECT_NE(error(train("chars", other)).find("has a vocabulary of"), std::string::npos);
}

TEST_F(CliWeights, AnArmMayBeginWithThem) {
  const Words args = {"compare",
                      "--text",
                      "text.txt",
                      "--preset",
                      "tiny",
                      "--n-embd",
                      "16",
                      "--block-size",
                      "16",
                      "--budget",
                      "5steps",
                      "--seeds",
                      "2",
                      "--arm",
                      "none",
                      "--arm",
                      "given: init_from=first",
                      "--format",
                      "json",
                      "--epochs",
                      "1"};
  const Json report = json_of(args, run(args));
  const Json& arms = report["cells"][0]["arms"];
  ASSERT_EQ(arms.size(), 2U);
  EXPECT_LT(arms[1]["test_loss"]["mean"], arms[0]["test_loss"]["mean"]);
  const std::string spec =
      folder.read("runs/" + arms[1]["runs"][0]["id"].get<std::string>() + "/spec.json");
  EXPECT_EQ(Json::parse(spec)["init"].get<std::string>().size(), 32U);
  // Other weights at the same place are another run.
  run(train("first", {"--budget", "31steps"}));
  const Json later = json_of(args, run(args));
  EXPECT_EQ(later["cells"][0]["arms"][0]["runs"][0]["id"], arms[0]["runs"][0]["id"]);
  EXPECT_NE(later["cells"][0]["arms"][1]["runs"][0]["id"], arms[1]["runs"][0]["id"]);
}

TEST_F(CliWeights, WhatDoesNotFitIsSaid) {
  const auto says = [&](const Words& args, const char* what) {
    EXPECT_NE(error(args).find(what), std::string::npos) << error(args);
  };
  says(train("x", {"--init-from", "none"}), "none: no such file or folder");
  says(train("x", {"--init-from", "first", "--bias"}), "give --bias=false");
  says(train("x", {"--init-from", "first", "--n-layer", "3"}), "give --n-layer");
  says(train("x", {"--init-from", "first", "--init-stream", "1"}), "init_stream=1 has no effect");
  says({"export"}, "export what?");
  says({"export", "first"}, "Give --hf DIR");
  says({"export", "none", "--hf", "x"}, "no such folder");
  run(train("other", {"--budget", "1steps", "--norm", "rmsnorm", "--qk-norm"}));
  says({"export", "other", "--hf", "x"}, "GPT-2 has no norm=rmsnorm, qk_norm=true");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x"));
}

}  // namespace
