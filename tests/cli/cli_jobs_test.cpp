// Several runs of a comparison at once: the same bits for any number of them, what auto and a dry
// run say, what is refused. tests/slow/jobs_test.cpp stops and kills them.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class CliJobs : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }

  Words compare(const std::string& out, const std::string& budget = "40steps") const {
    return {"compare", "--text", "text.txt", "--preset",  "tiny",  "--n-embd",    "16",
            "--batch", "4",      "--arm",    "none",      "--arm", "dropout=0.1", "--block-size",
            "16",      "--out",  out,        "--threads", "2",     "--budget",    budget,
            "--seeds", "2",      "--format", "json"};
  }
  Json result(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return json_of(args, r);
  }

  const TempFolder folder;
};

TEST_F(CliJobs, AnyNumberOfJobsAndThreadsGivesTheSameBits) {
  const Json one = losses(result(compare("one") + Words{"--jobs", "1"}));
  EXPECT_EQ(one.size(), 2U * (2 * 10 + 1));
  EXPECT_EQ(losses(result(compare("two") + Words{"--jobs", "2", "--store", "b"})), one);
  EXPECT_EQ(losses(result(compare("auto") + Words{"--store", "c"})), one);
  Words four = compare("four") + Words{"--jobs", "4", "--store", "d"};
  *(std::find(four.begin(), four.end(), "--threads") + 1) = "4";
  EXPECT_EQ(losses(result(four)), one);
}

TEST_F(CliJobs, WhereNoRunCanBeMadeItSaysWhyAndFails) {
  const Words args = compare("out") + Words{"--jobs", "2"};
  result(args);
  const Json whole = losses(result(args));
  for (const auto& [id, record] : records(folder.path() / "runs")) {
    fs::remove(folder.path() / "runs" / id / "record.json");
    fs::remove(folder.path() / "runs" / id / "metrics.jsonl");
    fs::create_directories(folder.path() / "runs" / id / "metrics.jsonl/in the way");
  }
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 1) << describe(args, r);
  EXPECT_EQ(r.out, "");
  EXPECT_NE(r.err.find("no run of this comparison could be made"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("none · seed 1: cannot replace runs/"), std::string::npos) << r.err;
  for (const auto& entry : fs::directory_iterator(folder.path() / "runs"))
    fs::remove_all(entry.path() / "metrics.jsonl");
  EXPECT_EQ(losses(result(args)), whole);
}

TEST_F(CliJobs, ABudgetInSecondsTakesOneAtATime) {
  const Words args = compare("out", "0.2s");
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_NE(r.err.find("running one at a time (a budget in seconds"), std::string::npos) << r.err;
  EXPECT_EQ(isodrop(compare("out2", "0.2s") + Words{"--jobs", "1"}, folder.path()).code, 0);
}

TEST_F(CliJobs, TooLittleMemoryForSoManyIsRefused) {
  const auto plan = [&](std::int64_t batch) {
    Words args = compare("out", "2steps") + Words{"--jobs", "2", "--dry-run"};
    *(std::find(args.begin(), args.end(), "--batch") + 1) = std::to_string(batch);
    const Result r = isodrop(args, folder.path());
    return json_of(args, r);
  };
  const auto bytes = [](const Json& j) { return j["arms"][0]["memory"]["total"].get<double>(); };
  const Json small = plan(64), larger = plan(128);
  const double per_row = (bytes(larger) - bytes(small)) / 64;
  const double available = small["available_memory"].get<double>();
  // One run takes seven tenths of what there is.
  const auto batch = static_cast<std::int64_t>(0.7 * available / per_row);
  Words args = compare("out", "2steps") + Words{"--jobs", "2"};
  *(std::find(args.begin(), args.end(), "--batch") + 1) = std::to_string(batch);
  const std::string error = only_error(args, isodrop(args, folder.path()));
  EXPECT_NE(error.find("--jobs 2: out of memory"), std::string::npos) << error;
  EXPECT_NE(error.find("give --jobs 1"), std::string::npos) << error;
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
  const Json auto_plan = [&] {
    Words dry = args + Words{"--dry-run"};
    *(std::find(dry.begin(), dry.end(), "--jobs") + 1) = "auto";
    return json_of(dry, isodrop(dry, folder.path()));
  }();
  EXPECT_EQ(auto_plan["jobs"], 1);
  EXPECT_TRUE(auto_plan["fits"]) << auto_plan;
}

// Their spec lies in memory.
TEST_F(CliJobs, ATrialNeedsNoTemporaryFolder) {
  const Words args = compare("out") + Words{"--jobs", "2", "--dry-run"};
  const Result r = isodrop(args, folder.path(), {"TMPDIR=/dev/null/none"});
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_EQ(r.err, "");
}

TEST_F(CliJobs, ADryRunKnowsTheJobsAndWhatIsDone) {
  Words args = compare("out");
  const auto dry = [&](const Words& more) {
    const auto before = folder.snapshot();
    const Json j = result(args + more + Words{"--dry-run"});
    EXPECT_EQ(changes(before, folder.snapshot()), Words{});
    return j;
  };
  const Json one = dry({"--jobs", "1"}), two = dry({"--jobs", "2"});
  EXPECT_EQ(one["jobs"], 1);
  EXPECT_EQ(two["jobs"], 2);
  EXPECT_EQ(one["runs"], 4);
  EXPECT_EQ(one["runs_done"], 0);
  EXPECT_GT(two["jobs_speedup"].get<double>(), 0);
  EXPECT_GT(two["peak_memory"], one["peak_memory"]);
  result(args);
  *(std::find(args.begin(), args.end(), "--seeds") + 1) = "3";
  const Json after = dry({});
  EXPECT_EQ(after["runs"], 2);
  EXPECT_EQ(after["runs_done"], 4);
  *(std::find(args.begin(), args.end(), "--seeds") + 1) = "2";
  const Json none = dry({});
  EXPECT_EQ(none["runs"], 0);
  EXPECT_EQ(none["total_seconds"], 0);
}

TEST_F(CliJobs, AutoSaysWhatItChoseAndWhy) {
  Words args = compare("out", "1e12flops") + Words{"--dry-run"};
  *std::find(args.begin(), args.end(), "json") = "text";
  const std::string text = isodrop(args, folder.path()).out;
  const std::size_t at = text.find("jobs         ");
  ASSERT_NE(at, std::string::npos) << text;
  const std::string line = text.substr(at, text.find('\n', at) - at);
  EXPECT_TRUE(line.find("2 runs at once, 1 thread each") != std::string::npos ||
              line.find("parallel runs not tested") != std::string::npos)
      << line;
  EXPECT_TRUE(line.find("measured") != std::string::npos ||
              line.find("--jobs N") != std::string::npos)
      << line;
  *(std::find(args.begin(), args.end(), "--threads") + 1) = "1";
  EXPECT_NE(isodrop(args, folder.path()).out.find("jobs         one run at a time\n"),
            std::string::npos);
}

}  // namespace
}  // namespace tests
