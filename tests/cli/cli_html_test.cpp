// The page that commands write, by running the real binary.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/page_data.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

namespace fs = std::filesystem;

class CliHtml : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }
  Words compare(const Words& more) const {
    return Words{"compare",  "--text", "text.txt", "--preset", "tiny",
                 "--n-embd", "16",     "--batch",  "4",        "--block-size",
                 "16",       "--jobs", "1",        "--out",    "cmp"} +
           more;
  }
  const Words kArms = {"--arm", "none", "--arm", "dropout=0.1"};
  const TempFolder folder;
};

TEST_F(CliHtml, ThePageIsThereFromTheFirstRunOnAndInTheEndItIsFinal) {
  Process process(compare(kArms + Words{"--budget", "300steps", "--seeds", "3"}), folder.path());
  const fs::path page = folder.path() / "cmp" / "report.html";
  while (process.running() && !fs::exists(page))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ASSERT_TRUE(fs::exists(page));
  const auto first = page_data(folder.read(page));
  ASSERT_GT(first["missing"].size(), 0U) << "after every run, not in the end alone";
  EXPECT_EQ(first["missing"][0].get<std::string>().find("Not final: 5 of 6 runs are missing"), 0U)
      << first["missing"];
  EXPECT_EQ(picture_of(first, 0, "curves")["series"].size(), 2U) << "none's curves";
  const Result result = process.wait();
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("Report: cmp/report.html (--verbose"), std::string::npos) << result.out;
  const auto last = page_data(folder.read(page));
  EXPECT_EQ(last["missing"].size(), 0U);
  EXPECT_EQ(last["sections"][0]["table"].size(), 3U);
  for (const char* id : {"forest", "slopes", "curves"})
    EXPECT_FALSE(picture_of(last, 0, id).is_null()) << id;
  for (const auto& entry : fs::directory_iterator(folder.path() / "cmp"))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

TEST_F(CliHtml, HtmlChoosesAnotherPlace) {
  const Words args =
      compare({"--budget", "20steps", "--seeds", "2", "--html", "page.html", "--format", "json"});
  const auto json = json_of(args, isodrop(args + kArms, folder.path()));
  EXPECT_FALSE(fs::exists(folder.path() / "cmp" / "report.html"));
  EXPECT_EQ(page_data(folder.read("page.html"))["sections"].size(), json["cells"].size());
  Words train = args + Words{"--dropout", "0.1", "--compare"};
  train[0] = "train";
  *std::find(train.begin(), train.end(), "cmp") = "cmp2";
  *std::find(train.begin(), train.end(), "page.html") = "page2.html";
  ASSERT_EQ(isodrop(train, folder.path()).code, 0);
  EXPECT_EQ(page_data(folder.read("page2.html"))["sections"][0]["table"][2][0], "as given");
}

TEST_F(CliHtml, APlaceThatCannotBeWrittenIsRefusedBeforeAnythingIsTrained) {
  for (const Words& args :
       {compare({"--budget", "40steps", "--html", "not/there/page.html"}),
        Words{"probe", "--preset", "tiny", "--dropout", "0.1", "--html", "not/there/page.html"},
        Words{"profile", "--preset", "tiny", "--html", "not/there/page.html"}}) {
    const std::string error = only_error(args, isodrop(args, folder.path()));
    EXPECT_NE(error.find("--html"), std::string::npos) << error;
    EXPECT_FALSE(fs::exists(folder.path() / "cmp"));
  }
  const Words args = compare({"--budget", "20steps", "--html", "."});
  EXPECT_NE(only_error(args, isodrop(args, folder.path())).find("is a folder"), std::string::npos);
}

TEST_F(CliHtml, ProbeAndProfileWriteTheirs) {
  const Words probe = {"probe", "--preset", "tiny", "--dropout", "0.1",       "--masks",
                       "2",     "--tokens", "64",   "--html",    "probe.html"};
  ASSERT_EQ(isodrop(probe, folder.path()).code, 0);
  EXPECT_FALSE(picture_of(page_data(folder.read("probe.html")), 0, "w1").is_null());
  const Words profile = {"profile",   "--preset", "tiny",   "--steps",     "3",
                         "--seconds", "0.1",      "--html", "profile.html"};
  ASSERT_EQ(isodrop(profile, folder.path()).code, 0);
  EXPECT_FALSE(picture_of(page_data(folder.read("profile.html")), 0, "roofline").is_null());
}

}  // namespace
}  // namespace tests
