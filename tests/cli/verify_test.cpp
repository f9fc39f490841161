// isodrop verify, by the real binary.
#include <gtest/gtest.h>

#include "lab/runs/spec.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;

class CliVerify : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(12000));
    const Words args = {"compare", "--text",  "text.txt", "--preset",     "tiny",       "--n-embd",
                        "16",      "--batch", "4",        "--block-size", "16",         "--budget",
                        "20steps", "--jobs",  "1",        "--out",        "cmp",        "--seeds",
                        "2",       "--arm",   "none",     "--arm",        "dropout=0.1"};
    const Result r = isodrop(args, folder.path());
    ASSERT_EQ(r.code, 0) << describe(args, r);
    report = Json::parse(folder.read("cmp/report.json"));
    id = report["cells"][0]["arms"][1]["runs"][0]["id"];
  }
  Json verify(const Words& more, int code) const {
    const Words args = Words{"verify", "--format", "json"} + more;
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, code) << describe(args, r);
    return Json::parse(r.out, nullptr, false);
  }
  void edit(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = folder.read(file);
    ASSERT_NE(text.find(from), std::string::npos) << from;
    folder.write(file, text.replace(text.find(from), from.size(), to));
  }
  TempFolder folder;
  Json report;
  std::string id;
};

TEST_F(CliVerify, TheSameBitsComeAgain) {
  const auto before = folder.snapshot();
  const Json j = verify({"cmp", "--runs", "3"}, 0);
  EXPECT_EQ(j["equal"], true);
  EXPECT_EQ(j["recorded"], 4);
  EXPECT_EQ(j["runs"].size(), 3U);
  EXPECT_EQ(j["runs"][0]["same_build"], true);
  EXPECT_EQ(verify({id}, 0)["runs"][0]["id"], id);
  EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << "nothing is written there";
}

TEST_F(CliVerify, AChangedRecordIsFound) {
  const std::string file = "runs/" + id + "/record.json";
  const std::string loss = Json(report["cells"][0]["arms"][1]["runs"][0]["late_loss"]).dump();
  edit(file, loss, "2.5");
  const std::string said = only_error({"verify", id}, isodrop({"verify", id}, folder.path()));
  EXPECT_NE(said.find(file + ": was changed after it was written; remove this file"),
            std::string::npos)
      << said;
  lab::Json record = lab::Json::parse(folder.read(file));
  record.erase("hash");
  folder.write(file, lab::sealed(record).dump());
  const Json j = verify({id}, 1);
  EXPECT_EQ(j["equal"], false);
  EXPECT_TRUE(j["runs"][0]["differences"].contains("late_loss"));
  EXPECT_EQ(verify({"cmp"}, 1)["changed"], Json::array({id}));
}

// A report that somebody else has made names runs by ids, and no paths.
TEST_F(CliVerify, AnIdThatIsAPathIsRefused) {
  for (const std::string bad : {"\"../../elsewhere\"", "7", "null"}) {
    Json changed = report;
    for (Json& arm : changed["cells"][0]["arms"])
      for (Json& run : arm["runs"]) run["id"] = Json::parse(bad);
    folder.write("bad/report.json", changed.dump());
    const Words args = {"verify", "bad"};
    EXPECT_TRUE(has(only_error(args, isodrop(args, folder.path())), "a run has no id")) << bad;
  }
}

TEST_F(CliVerify, MistakesAreNamed) {
  for (const auto& [words, part] :
       std::vector<std::pair<Words, std::string>>{{{}, "verify what?"},
                                                  {{"nosuch"}, "'nosuch': not in"},
                                                  {{"."}, "holds no report.json"},
                                                  {{"cmp", "--runs", "0"}, "--runs"}}) {
    const Words args = Words{"verify"} + words;
    const std::string said = only_error(args, isodrop(args, folder.path()));
    EXPECT_NE(said.find(part), std::string::npos) << said;
  }
}

}  // namespace
