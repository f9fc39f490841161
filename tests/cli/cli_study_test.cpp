// `isodrop study` by the real binary.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "lab/runs/spec.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kFile = R"(title = "A rate of a tenth is too low"
question = "Does a learning rate ten times too small hurt?"
[base]
text = "text.txt"
n_layer = 1
n_head = 2
n_embd = 16
block_size = 16
batch = 4
threads = 2
lr = 0.01
budget = "80steps"
[study]
arms = ["right", "low"]
seeds = 8
[[figures]]
name = "harm"
of = "difference"
[rule]
supported = ["harm above 0"]
contradicted = ["harm below 0"]
)";

class CliStudy : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(20000));
    write("planted.toml", "right: none", "low: none,lr=0.001");
  }
  void write(const std::string& name, const std::string& first, const std::string& second) const {
    std::string text = kFile;
    text.replace(text.find("right"), 5, first);
    text.replace(text.find("\"low\"") + 1, 3, second);
    folder.write(name, text);
  }
  Json result(const Words& args) const {
    const Words all = args + Words{"--format", "json", "--jobs", "2"};
    const Result r = isodrop(all, folder.path());
    EXPECT_EQ(r.code, 0) << describe(all, r);
    return json_of(all, r)["studies"];
  }
  const TempFolder folder;
};

TEST_F(CliStudy, FindsWhatIsPlantedAndNothingWhereThereIsNothing) {
  write("aa.toml", "a: dropout=0.2", "b: dropout=0.2,mask_stream=1");
  const Json studies = result({"study", "planted.toml", "aa.toml"});
  ASSERT_EQ(studies.size(), 2U);
  EXPECT_EQ(studies[0]["file"], "planted.toml");
  EXPECT_EQ(studies[0]["verdict"], "supported");
  EXPECT_GT(studies[0]["figures"][0]["ci"]["low"], 0);
  EXPECT_EQ(studies[0]["runs"], 16);
  EXPECT_EQ(studies[0]["builds"].size(), 1U);
  EXPECT_EQ(studies[1]["verdict"], "open");
  EXPECT_NE(folder.read("out/study-planted/report.html").find("is too low"), std::string::npos);
  EXPECT_EQ(Json::parse(folder.read("out/study-planted/study-result.json")), studies[0]);
}

TEST_F(CliStudy, KilledItGoesOnAndTheRecordsAreThoseOfAnUndisturbedOne) {
  const Words args = {"study", "planted.toml", "--jobs", "1"};
  {
    Process killed(args, folder.path());
    while (records(folder.path() / "runs").size() < 5 && killed.running())
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    killed.kill();
    killed.wait();
  }
  EXPECT_LT(records(folder.path() / "runs").size(), 16U) << "it ended before it was killed";
  const Json resumed = result({"study", "planted.toml"});
  const Json whole = result({"study", "planted.toml", "--store", "other", "--out", "whole"});
  EXPECT_EQ(resumed[0]["figures"], whole[0]["figures"]);
  EXPECT_EQ(losses(resumed[0]["report"]), losses(whole[0]["report"]));
}

TEST_F(CliStudy, AQuickLookAndADryRun) {
  const Json quick = result({"study", "planted.toml", "--quick"});
  EXPECT_TRUE(quick[0]["verdict"].is_null());
  EXPECT_EQ(quick[0]["report"]["seeds"], 2);
  const Words args = {"study", "planted.toml", "--dry-run", "--out", "dry"};
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_NE(r.out.find("planted.toml: A rate of a tenth"), r.out.npos) << r.out;
  EXPECT_NE(r.out.find("12 runs to be made, 4 are done"), r.out.npos) << r.out;
  EXPECT_FALSE(fs::exists(folder.path() / "dry"));
}

TEST_F(CliStudy, WhatWasPublishedGivesTheSameFiguresWithoutARun) {
  write("tuned.toml", "right: none", "low: none,lr=0.001|0.002");
  const Json made = result({"study", "planted.toml", "tuned.toml", "--publish", "claims"});
  EXPECT_NE(folder.read("claims/planted.md").find("Verdict: supported"), std::string::npos);
  EXPECT_EQ(folder.read("claims/planted.md").find("Runs: "), std::string::npos) << "a path";
  fs::remove_all(folder.path() / "runs");
  fs::remove_all(folder.path() / "out");
  const Json again = result({"study", "planted.toml", "tuned.toml", "--from", "claims"});
  for (const int i : {0, 1}) {
    EXPECT_EQ(again[i]["figures"], made[i]["figures"]);
    EXPECT_EQ(again[i]["verdict"], made[i]["verdict"]);
  }
  EXPECT_FALSE(fs::exists(folder.path() / "runs"));
  const auto error = [&] {
    const Words args = {"study", "planted.toml", "--from", "claims"};
    return only_error(args, isodrop(args, folder.path()));
  };
  const std::string whole = folder.read("claims/planted.json");
  Json cut = Json::parse(whole);
  cut["records"].erase(3);
  folder.write("claims/planted.json", cut.dump());
  EXPECT_NE(error().find("were changed since they were published"), std::string::npos) << error();
  cut["fingerprint"] = lab::fingerprint(lab::Json::parse(cut["records"].dump()));
  folder.write("claims/planted.json", cut.dump());
  EXPECT_NE(error().find("1 of its 16 runs are not in it"), std::string::npos) << error();
  Json edited = Json::parse(whole);
  edited["records"][0]["test_loss"] = 1.5;
  folder.write("claims/planted.json", edited.dump());
  EXPECT_NE(error().find("were changed since they were published"), std::string::npos) << error();
  for (const char* key : {"speeds", "looks"}) {
    edited = Json::parse(whole);
    edited[key] = 5;
    folder.write("claims/planted.json", edited.dump());
    EXPECT_NE(error().find("were changed since they were published"), std::string::npos) << key;
  }
  // As they were published before looks and step times were covered.
  edited["fingerprint"] = lab::fingerprint(lab::Json::parse(edited["records"].dump()));
  folder.write("claims/planted.json", edited.dump());
  EXPECT_EQ(result({"study", "planted.toml", "--from", "claims"})[0]["verdict"],
            made[0]["verdict"]);
  folder.write("claims/planted.json", whole.substr(0, whole.size() / 2));
  EXPECT_NE(error().find("not valid JSON"), std::string::npos);
  folder.write("claims/planted.json", whole);
  folder.write("planted.toml", folder.read("planted.toml") + "# changed");
  EXPECT_NE(error().find("of another planted.toml"), std::string::npos);
}

// The page: what was said by hand stays on top, however often it is published.
TEST_F(CliStudy, ThePageKeepsWhatIsSaidByHandAndStepTimes) {
  std::string text = folder.read("planted.toml");
  text.replace(text.find("[rule]"), 0, "[[figures]]\nname = \"pace\"\nof = \"step_time\"\n");
  folder.write("planted.toml", text);
  fs::create_directory(folder.path() / "claims");
  folder.write("claims/planted.note.md", "A rate matters.\nIt does.\n\nAnother paragraph.\n");
  const Json made = result({"study", "planted.toml", "--publish", "claims"});
  const std::string page = folder.read("claims/planted.md");
  const std::size_t verdict = page.find("Verdict"), note = page.find("A rate matters. It does.\n"),
                    table = page.find("| figure |");
  EXPECT_LT(verdict, note);
  EXPECT_LT(note, table);
  const std::string records = folder.read("claims/planted.json");
  const Json again = result(
      {"study", "planted.toml", "--from", "claims", "--publish", "claims", "--html", "page.html"});
  EXPECT_EQ(again[0]["figures"], made[0]["figures"]);
  EXPECT_FALSE(again[0]["figures"][1]["value"].is_null()) << "step times are published";
  EXPECT_EQ(folder.read("claims/planted.json"), records);
  EXPECT_EQ(folder.read("claims/planted.md"), page);
  EXPECT_NE(folder.read("page.html").find("harm"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder.path() / "claims/index.html")) << "of isodrop's own studies alone";
}

TEST_F(CliStudy, AStudyOfATextTakesItAndATimeLimitIsKept) {
  const auto error = [&](const Words& args) {
    return only_error(args, isodrop(args, folder.path()));
  };
  std::string text = folder.read("planted.toml");
  text.replace(text.find("text = \"text.txt\"\n"), 18, "");
  text.insert(0, "of_text = true\n");
  folder.write("of.toml", text);
  EXPECT_NE(error({"study", "of.toml"}).find("is of a text; give it with --text"),
            std::string::npos);
  EXPECT_NE(error({"study", "planted.toml", "--text", "text.txt"}).find("is not of a text"),
            std::string::npos);
  EXPECT_NE(error({"study", "of.toml", "--text", "none.txt"}).find("none.txt"), std::string::npos);
  const std::string late =
      error({"study", "of.toml", "--text", "text.txt", "--time-limit", "0.01s"});
  EXPECT_NE(late.find("none of 8 seeds would fit"), std::string::npos) << late;
  EXPECT_FALSE(fs::exists(folder.path() / "runs"));
  const Json of = result({"study", "of.toml", "--text", "text.txt", "--time-limit", "10min"});
  EXPECT_EQ(of[0]["verdict"], "supported");
  EXPECT_EQ(of[0]["report"]["model"]["text"], "text.txt");
}

TEST_F(CliStudy, TheStudiesThatComeWithItAreListed) {
  const Words args = {"list", "studies", "--format", "json"};
  const Result r = isodrop(args, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  const Json list = json_of(args, r);
  EXPECT_GE(list.size(), 5U);
  for (const Json& study : list) EXPECT_NE(study["question"], "");
}

TEST_F(CliStudy, WhatIsWrongIsSaidBeforeAnythingIsTrained) {
  const auto error = [&](const Words& args) {
    return only_error(args, isodrop(args, folder.path()));
  };
  write("bad.toml", "a: none", "b: dropout=0.1");
  folder.write("bad.toml", folder.read("bad.toml") + "[extra]\n");
  EXPECT_NE(error({"study", "planted.toml", "bad.toml"}).find("bad.toml:22:"), std::string::npos);
  EXPECT_NE(error({"study"}).find("study which claim?"), std::string::npos);
  EXPECT_NE(error({"study", "--all", "planted.toml"}).find("--all with a file"), std::string::npos);
  EXPECT_NE(error({"study", "none.toml"}).find("none.toml: cannot be read"), std::string::npos);
  EXPECT_NE(error({"study", "planted.toml", "--seeds", "9"}).find("--seeds"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder.path() / "runs"));
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

}  // namespace
