// A comparison that is killed goes on where it was; more seeds extend it; a finished one is shown
// at once.
#include <gtest/gtest.h>

#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using Times = std::map<std::string, fs::file_time_type>;

class Resume : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(100000)); }

  Words compare(const std::string& out, int seeds) const {
    return {"compare",  "--text",   "text.txt", "--preset",    "tiny",
            "--n-embd", "32",       "--budget", "150steps",    "--epochs",
            "2,20",     "--out",    out,        "--seeds",     std::to_string(seeds),
            "--arm",    "none",     "--arm",    "dropout=0.1", "--eval-tokens",
            "500",      "--format", "json"};
  }
  /// When each finished run of the store was written.
  Times finished(const std::string& store = "runs") const {
    Times times;
    for (const auto& [id, record] : records(folder.path() / store))
      times[id] = fs::last_write_time(folder.path() / store / id / "record.json");
    return times;
  }
  Json result(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return json_of(args, r);
  }

  const TempFolder folder;
};

TEST_F(Resume, AKilledComparisonGoesOnAndEndsAsAnUninterruptedOne) {
  const Words args = compare("killed", 3);
  Times before;
  {
    Process process(args, folder.path());
    for (int i = 0; i < 3000 && before.size() < 4 && process.running(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      before = finished();
    }
    process.kill();
    EXPECT_EQ(process.wait().code, 128 + SIGKILL);
  }
  before = finished();
  ASSERT_GE(before.size(), 4U);
  ASSERT_LT(before.size(), 12U) << "it ended before it was killed";

  const Result resumed = isodrop(args, folder.path());
  EXPECT_EQ(resumed.code, 0) << describe(args, resumed);
  EXPECT_NE(resumed.err.find("of 12 runs are done"), std::string::npos) << resumed.err;
  const Times after = finished();
  EXPECT_EQ(after.size(), 12U);
  for (const auto& [name, time] : before)
    EXPECT_EQ(after.at(name), time) << name << " was made again";

  const Json whole = result(compare("whole", 3) + Words{"--store", "elsewhere"});
  EXPECT_EQ(losses(json_of(args, resumed)), losses(whole));
  EXPECT_EQ(whole["rules"]["looks"], 1);

  // A finished one is shown again at once, and a second showing is no second look.
  const Result again = isodrop(args, folder.path());
  EXPECT_EQ(again.err, "");  // nothing was trained, nothing timed
  EXPECT_EQ(json_of(args, again), json_of(args, resumed));
  EXPECT_EQ(finished(), after);
}

// Killed while it tunes, and again while it judges what was chosen.
TEST_F(Resume, AKilledTuningGoesOnToTheSameChoice) {
  const auto tuned = [&](const std::string& out) {
    return Words{"compare",
                 "--text",
                 "text.txt",
                 "--preset",
                 "tiny",
                 "--n-embd",
                 "16",
                 "--arm",
                 "none",
                 "--arm",
                 "d: dropout=0.1|0.2|0.4",
                 "--budget",
                 "60steps",
                 "--out",
                 out,
                 "--seeds",
                 "6",
                 "--eval-tokens",
                 "500",
                 "--format",
                 "json"};
  };
  const Json whole = result(tuned("whole") + Words{"--store", "elsewhere"});
  const std::size_t all = finished("elsewhere").size();
  const Words args = tuned("killed");
  for (const std::size_t until : {std::size_t{2}, all - 10}) {
    Process process(args, folder.path());
    while (finished().size() < until && process.running())
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    process.kill();
    process.wait();
    ASSERT_GE(finished().size(), until);
    EXPECT_LT(finished().size(), all) << "it ended before it was killed";
  }
  const std::string chosen = folder.read("killed/tuning.json");
  const Json end = result(args);
  EXPECT_EQ(folder.read("killed/tuning.json"), chosen) << "chosen before the second kill";
  EXPECT_EQ(chosen, folder.read("whole/tuning.json"));
  EXPECT_EQ(end["cells"][0]["arms"][1]["tuned"], whole["cells"][0]["arms"][1]["tuned"]);
  EXPECT_EQ(losses(end), losses(whole));
  EXPECT_EQ(finished().size(), all);
}

TEST_F(Resume, MoreSeedsExtendAndAreCorrectedFor) {
  const Json first = result(compare("out", 3));
  const Times before = finished();
  const Json more = result(compare("out", 4));
  const Times after = finished();
  EXPECT_EQ(before.size(), 12U);
  EXPECT_EQ(after.size(), 16U);
  for (const auto& [name, time] : before) EXPECT_EQ(after.at(name), time) << name;
  EXPECT_EQ(first["rules"]["looks"], 1);
  EXPECT_EQ(first["rules"]["note"], "");
  EXPECT_EQ(more["rules"]["looks"], 2);
  EXPECT_NE(more["rules"]["note"].get<std::string>().find("look 2"), std::string::npos);

  // The correction is real: the same four seeds at the first look have smaller p values.
  const Json fresh = result(compare("fresh", 4) + Words{"--store", "elsewhere"});
  for (std::size_t c = 0; c < 2; ++c) {
    const Json& corrected = more["cells"][c]["arms"][1];
    const Json& plain = fresh["cells"][c]["arms"][1];
    EXPECT_EQ(corrected["runs"].size(), 4U);
    EXPECT_EQ(corrected["val_loss"], plain["val_loss"]);
    EXPECT_GE(corrected["vs_baseline"]["p_holm"], plain["vs_baseline"]["p_holm"]);
    EXPECT_LT(corrected["vs_baseline"]["ci"]["low"], plain["vs_baseline"]["ci"]["low"]);
    EXPECT_GT(corrected["vs_baseline"]["ci"]["high"], plain["vs_baseline"]["ci"]["high"]);
  }
}

TEST_F(Resume, ARunThatCannotBeReadBackIsNamedAndNotReplaced) {
  result(compare("out", 2));
  const std::string name = "runs/" + finished().begin()->first + "/record.json";
  ASSERT_NE(folder.read(name), "");
  folder.write(name, "{\"seed\": 1");
  const Words args = compare("out", 2);
  const std::string error = only_error(args, isodrop(args, folder.path()));
  EXPECT_NE(error.find(name), std::string::npos) << error;
  EXPECT_EQ(folder.read(name), "{\"seed\": 1");
}

}  // namespace
}  // namespace tests
