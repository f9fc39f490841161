// What is beside the records and is damaged costs what it holds, and never the verdicts.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "tests/cli/cli_harness.h"
#include "tests/page_data.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
namespace fs = std::filesystem;

class CliBroken : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(8000));
    first = compare();
    ASSERT_EQ(first.code, 0) << first.err;
    for (const auto& entry : fs::directory_iterator(folder.path() / "runs"))
      if (fs::exists(entry.path() / "record.json")) ids.push_back(entry.path().filename());
    ASSERT_EQ(ids.size(), 4U);
  }
  Result compare() const { return isodrop(args, folder.path(), {"ISODROP_TUNING=off"}); }
  /// The verdicts, and everything else that hangs on records alone.
  nlohmann::json judged(const Result& r) const { return losses(json_of(args, r)); }
  const Words args = {
      "compare", "--text",        "text.txt", "--preset", "tiny",        "--n-layer",
      "1",       "--n-embd",      "8",        "--batch",  "4",           "--block-size",
      "8",       "--eval-tokens", "200",      "--budget", "20steps",     "--threads",
      "1",       "--arm",         "none",     "--arm",    "dropout=0.1", "--seeds",
      "2",       "--jobs",        "1",        "--out",    "cmp",         "--format",
      "json"};
  const TempFolder folder;
  Result first;
  Words ids;
};

TEST_F(CliBroken, ALogThatCannotBeReadCostsItsCurve) {
  const fs::path log = folder.path() / "runs" / ids[0] / "metrics.jsonl";
  const std::vector<std::pair<std::string, std::function<void()>>> ways = {
      {"metrics.jsonl, line 1", [&] { std::ofstream(log) << "isodrop: note: of a terminal\n"; }},
      {"is a folder", [&] { fs::create_directory(log); }},
      {"is a link", [&] { fs::create_symlink("/dev/zero", log); }},
      {"is a pipe", [&] { mkfifo(log.c_str(), 0600); }}};
  const auto curves = [&] {
    return picture_of(page_data(folder.read("cmp/report.html")), 0, "curves");
  };
  const nlohmann::json whole = curves();
  for (const auto& [said, damage] : ways) {
    fs::remove_all(log);
    damage();
    const Result again = compare();
    EXPECT_EQ(again.code, 0) << describe(args, again);
    EXPECT_EQ(judged(again), judged(first)) << said;
    Words text = args;
    text.back() = "text";
    text = text + Words{"--verbose"};
    const Result shown = isodrop(text, folder.path());
    EXPECT_TRUE(has(shown.out, "1 curve is left out of the charts: ") && has(shown.out, said))
        << describe(text, shown);
    EXPECT_FALSE(curves().is_null());
    EXPECT_NE(curves(), whole) << said;
    // The curves of other runs are shown; of this one alone there is nothing to show.
    const Words three = {"report", ids[1], ids[0], ids[2], "--out", "curves.html"};
    const Result r = isodrop(three, folder.path());
    EXPECT_EQ(r.code, 0) << describe(three, r);
    EXPECT_TRUE(has(r.err, "a curve is left out: ") && has(r.err, said)) << r.err;
    EXPECT_EQ(page_data(folder.read("curves.html"))["sections"][0]["table"].size(), 3U);
    const Words alone = {"report", ids[0], "--out", "alone.html"};
    const Result none = isodrop(alone, folder.path());
    EXPECT_EQ(none.code, 2) << describe(alone, none);
    EXPECT_FALSE(fs::exists(folder.path() / "alone.html"));
  }
}

TEST_F(CliBroken, StepTimesThatCannotBeReadCostThemAlone) {
  for (const char* bad : {"", "{", "[]", R"({"cells": 3, "hash": ""})", "\xff\xfe"}) {
    folder.write("cmp/speed.json", bad);
    const Result again = compare();
    EXPECT_EQ(again.code, 0) << describe(args, again);
    EXPECT_EQ(judged(again), judged(first)) << bad;
  }
  fs::remove(folder.path() / "cmp/speed.json");
  fs::create_symlink("/dev/zero", folder.path() / "cmp/speed.json");
  const Result again = compare();
  EXPECT_EQ(again.code, 0) << describe(args, again);
  EXPECT_EQ(judged(again), judged(first));
  EXPECT_TRUE(has(again.err, "speed.json")) << again.err;
}

TEST_F(CliBroken, APageThatCannotBeWrittenComesAfterTheVerdicts) {
  fs::remove(folder.path() / "cmp/report.html");
  fs::create_directory(folder.path() / "cmp/report.html");
  folder.write("cmp/report.html/mine", "mine");
  const Result again = compare();
  EXPECT_EQ(again.code, 2) << describe(args, again);
  EXPECT_TRUE(has(again.err, "cmp/report.html")) << again.err;
  EXPECT_EQ(judged(again), judged(first));
}

}  // namespace
