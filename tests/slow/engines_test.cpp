// Workers that know nothing of each other on one store, killed at random moments, and two that a
// file system without locks lets make one run at once: the records are those of one worker.
// ISODROP_KILLS=100 kills so often; 10 in the suite.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <random>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/slow/kills_wanted.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

void wait_a_little(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

class Engines : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }
  Words compare(int seeds, const std::string& budget) const {
    return {"compare",
            "--text",
            "text.txt",
            "--preset",
            "tiny",
            "--n-embd",
            "16",
            "--batch",
            "4",
            "--block-size",
            "16",
            "--budget",
            budget,
            "--arm",
            "none",
            "--arm",
            "dropout=0.1",
            "--seeds",
            std::to_string(seeds),
            "--threads",
            "1"};
  }
  /// Plans all runs of the comparison; the list's path.
  std::string plan(const Words& args) const {
    const Words all = args + Words{"--plan", "specs", "--engine", "mpi"};
    const Result r = isodrop(all, folder.path());
    EXPECT_EQ(r.code, 0) << describe(all, r);
    for (const auto& entry : fs::directory_iterator(folder.path() / "specs"))
      if (entry.path().extension() == ".txt") return "specs/" + entry.path().filename().string();
    return "";
  }
  Result ok(const Words& args) const {
    Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  const TempFolder folder;
};

TEST_F(Engines, ThreeUncoordinatedWorkersThatAreKilledMakeTheTableOfOne) {
  const int kills = kills_wanted(10), seeds = kills + 3;
  const Words args = compare(seeds, "600steps"), json = {"--format", "json", "--jobs", "1"};
  const Result calm = ok(args + json + Words{"--store", "calm", "--out", "calm-out"});
  const Words work = {"run", "--list", plan(args), "--threads", "1"};
  std::mt19937 random(11);
  const auto draw = [&](double below) {
    return std::uniform_real_distribution<double>(0, below)(random);
  };
  std::array<std::optional<Process>, 3> workers;
  for (auto& worker : workers) worker.emplace(work, folder.path());
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60 + 10 * kills);
  const double one_run = calm.seconds / (2.0 * seeds);
  int killed = 0;
  std::size_t done = 0;
  const auto all = 2 * static_cast<std::size_t>(seeds);
  while (done < all && std::chrono::steady_clock::now() < patience) {
    for (auto& worker : workers) {
      if (worker->running()) continue;
      // Killed, or one whose process of a run was killed, or all is there.
      const Result r = worker->wait();
      EXPECT_TRUE(r.code == 0 || r.code == 1 || r.code == 128 + SIGKILL) << describe(work, r);
      worker.emplace(work, folder.path());
    }
    // As far on in the runs as in the kills.
    if (killed < kills &&
        done * static_cast<std::size_t>(kills) >= all * static_cast<std::size_t>(killed) / 2) {
      wait_a_little(draw(one_run));
      Process& worker = *workers[static_cast<std::size_t>(draw(3))];
      const auto children = worker.children();
      if (draw(1) < 0.5 || children.empty()) {
        if (worker.running()) worker.kill(), ++killed;
      } else if (kill(children.front(), SIGKILL) == 0) {
        ++killed;
      }
    } else {
      wait_a_little(0.01);
    }
    done = records(folder.path() / "runs").size();
  }
  for (auto& worker : workers) worker->kill(SIGTERM), worker->wait();
  EXPECT_EQ(killed, kills) << "the list was done before";
  ASSERT_EQ(done, all);
  EXPECT_EQ(ok(work).code, 0);
  for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "runs"))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  const Words collect = args + Words{"--collect", "--format", "json"};
  EXPECT_EQ(losses(json_of(collect, ok(collect))), losses(json_of(args, calm)));
}

TEST_F(Engines, WithoutLocksTwoMakeOneRunAndItIsWhole) {
  const Words args = compare(1, "3000steps");
  const Words work = {"run", "--list", plan(args), "--threads", "1"};
  ok(work + Words{"--store", "calm"});
  const auto expected = records(folder.path() / "calm");
  ASSERT_EQ(expected.size(), 2U);
  // A lock that is removed while it is held is one that the next does not see.
  Process first(work, folder.path());
  bool apart = false;
  std::optional<Process> second;
  while (first.running() && !apart) {
    for (const auto& [run, record] : expected)
      if (fs::remove(folder.path() / "runs" / run / "lock")) apart = true;
    if (apart) second.emplace(work, folder.path());
  }
  ASSERT_TRUE(apart);
  const Result a = first.wait(), b = second->wait();
  EXPECT_TRUE(a.code == 0 || b.code == 0) << describe(work, a) << describe(work, b);
  // Whoever lost its half-written log to the other says so.
  for (const Result& r : {a, b}) EXPECT_TRUE(r.code == 0 || r.code == 1) << describe(work, r);
  EXPECT_EQ(ok(work).code, 0);
  EXPECT_EQ(records(folder.path() / "runs").size(), 2U);
  for (const auto& [run, record] : records(folder.path() / "runs")) {
    Json mine = Json::parse(record), theirs = Json::parse(expected.at(run));
    EXPECT_EQ(mine["val_loss"], theirs["val_loss"]);
    EXPECT_EQ(mine["windows"], theirs["windows"]);
  }
}

}  // namespace
}  // namespace tests
