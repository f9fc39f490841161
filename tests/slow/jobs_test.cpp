// Runs made at once that are killed, and a comparison that is stopped while it makes them.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class Jobs : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }

  // Long enough to be stopped while it goes.
  Words compare(const std::string& out, const std::string& jobs) const {
    return {"compare", "--text", "text.txt", "--preset",  "tiny",   "--n-embd",    "16",
            "--batch", "4",      "--arm",    "none",      "--arm",  "dropout=0.1", "--block-size",
            "16",      "--out",  out,        "--threads", "2",      "--budget",    "1000steps",
            "--seeds", "2",      "--format", "json",      "--jobs", jobs};
  }
  Json result(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return json_of(args, r);
  }
  /// Paths of all files of a folder whose name ends so.
  std::set<std::string> files(const std::string& out, const std::string& ending) const {
    std::set<std::string> found;
    std::error_code none_yet;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / out, none_yet))
      if (entry.path().string().ends_with(ending))
        found.insert(fs::relative(entry.path(), folder.path()).string());
    return found;
  }

  const TempFolder folder;
};

/// Waits, for as long as a slow machine may take, until something is so.
bool comes_true(const std::function<bool()>& so) {
  for (int i = 0; i < 12000; ++i) {
    if (so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST_F(Jobs, ARunThatIsKilledTouchesNoOtherAndIsMadeAgain) {
  const Words args = compare("killed", "2");
  Result r;
  {
    Process process(args, folder.path());
    ASSERT_TRUE(comes_true([&] { return process.children().size() == 2; }));
    ASSERT_EQ(kill(process.children().front(), SIGKILL), 0);
    r = process.wait();
  }
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_NE(r.err.find("failed: its process was killed (SIGKILL"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("the same command makes it again"), std::string::npos) << r.err;
  int failed = 0, ok = 0;
  const Json first = json_of(args, r);
  for (const Json& arm : first["cells"][0]["arms"])
    for (const Json& run : arm["runs"]) {
      failed += run["status"] == "failed" ? 1 : 0;
      ok += run["status"] == "ok" ? 1 : 0;
    }
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(ok, 3);
  std::map<std::string, std::string> kept;
  for (const std::string& name : files("runs", "/record.json")) kept[name] = folder.read(name);
  EXPECT_EQ(kept.size(), 3U);

  const Result again = isodrop(args, folder.path());
  EXPECT_EQ(again.code, 0) << describe(args, again);
  EXPECT_NE(again.err.find("3 of 4 runs are done"), std::string::npos) << again.err;
  for (const auto& [name, text] : kept) EXPECT_EQ(folder.read(name), text) << name;
  EXPECT_EQ(losses(json_of(args, again)),
            losses(result(compare("whole", "1") + Words{"--store", "elsewhere"})));
}

class JobsStopped : public Jobs, public testing::WithParamInterface<int> {};

TEST_P(JobsStopped, LeavesNoProcessAndNothingHalfWritten) {
  const Words args = compare("stopped", "2");
  std::vector<pid_t> workers;
  {
    Process process(args, folder.path());
    // One of the first two is done and the next one begun.
    ASSERT_TRUE(comes_true([&] {
      workers = process.children();
      return !files("runs", "record.json").empty() && workers.size() == 2;
    }));
    process.kill(GetParam());
    const Result r = process.wait();
    EXPECT_EQ(r.code, 128 + GetParam()) << describe(args, r);
    EXPECT_EQ(r.out, "");
    if (GetParam() != SIGKILL) {
      EXPECT_NE(r.err.find("run the same command again to go on"), std::string::npos) << r.err;
      EXPECT_EQ(r.err.find("failed"), std::string::npos) << r.err;
    }
  }
  for (const pid_t worker : workers)
    EXPECT_TRUE(comes_true([&] { return !alive(worker); })) << worker << " is an orphan";
  for (const std::string& name : files("runs", "record.json"))
    EXPECT_FALSE(Json::parse(folder.read(name), nullptr, false).is_discarded()) << name;
  EXPECT_EQ(losses(result(args)),
            losses(result(compare("whole", "1") + Words{"--store", "elsewhere"})));
}

INSTANTIATE_TEST_SUITE_P(By, JobsStopped, testing::Values(SIGINT, SIGTERM, SIGKILL),
                         [](const auto& row) { return std::to_string(row.param); });

}  // namespace
}  // namespace tests
