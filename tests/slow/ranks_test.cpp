// One run over several processes, started by the real mpirun: the same bits as one process,
// whatever the settings, and what comes of stops and deaths. Skipped where MPI is not built in or
// mpirun is not there.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "models/norm_table.h"
#include "models/regularizer_table.h"
#include "models/regularizers.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"
#include "train/distributed/mpi_communicator.h"

namespace tests {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class OverRanks : public testing::Test {
 protected:
  void SetUp() override {
    if (train::mpi_version().empty()) GTEST_SKIP() << "MPI is not built in (-DISODROP_MPI=ON)";
    Result r;
    try {
      r = Process::program({"mpirun", "--version"}, folder.path()).wait();
    } catch (const std::exception& e) {
      r.err = e.what();
    }
    if (r.code != 0) GTEST_SKIP() << "mpirun does not start: " << r.err;
    folder.write("text.txt", small_text(3000));
    // Open MPI's own leaks, which a program with sanitizers would report at its end.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
  }

  /// `more` in place of these defaults and beside them.
  static Words settings(const std::string& out, const Words& more) {
    Words words = Words{"train", "--out", out} + more;
    const std::vector<std::pair<std::string, std::string>> defaults = {
        {"--text", "text.txt"}, {"--preset", "tiny"},     {"--n-embd", "16"}, {"--batch", "8"},
        {"--block-size", "8"},  {"--eval-tokens", "100"}, {"--threads", "1"}, {"--shards", "4"},
        {"--lr", "0.01"},       {"--eval-interval", "4"}};
    for (const auto& [flag, value] : defaults)
      if (std::find(more.begin(), more.end(), flag) == more.end())
        words = words + Words{flag, value};
    return words;
  }
  static Words launch(int ranks, const Words& args) {
    Words words = {"mpirun"};
    if (train::mpi_version().starts_with("Open MPI"))
      words = words + Words{"--oversubscribe", "--allow-run-as-root"};
    return words + Words{"-n", std::to_string(ranks), ISODROP_BINARY} + args;
  }
  Result over(int ranks, const Words& args) const {
    return Process::program(launch(ranks, args), folder.path()).wait();
  }
  Json summary(const std::string& out) const {
    Json json = Json::parse(folder.read(out + "/summary.json"));
    for (const char* time : {"seconds", "eval_seconds", "setup_seconds", "gflops"})
      json.erase(time);
    return json;
  }
  void expect_same(const std::string& a, const std::string& b, const std::string& what) const {
    EXPECT_EQ(folder.read(a + "/model.safetensors"), folder.read(b + "/model.safetensors")) << what;
    EXPECT_EQ(summary(a), summary(b)) << what;
  }
  void expect_same_bits(const Words& more) const {
    std::string what;
    for (const std::string& word : more) what += word + " ";
    const Words budget = {"--budget", "8steps"};
    const Words args = settings("one", more + budget);
    Result r = isodrop(args, folder.path());
    ASSERT_EQ(r.code, 0) << describe(args, r);
    for (const int ranks : {1, 2, 4}) {
      r = over(ranks, settings("many", more + budget));
      ASSERT_EQ(r.code, 0) << what << ranks << "\n" << r.err;
      expect_same("many", "one", what + std::to_string(ranks) + " ranks");
    }
  }
  /// The process that is this rank of a launched run; -1: none.
  static pid_t rank_of(const Process& launcher, int rank) {
    for (const pid_t pid : launcher.children()) {
      std::ifstream in("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
      const std::string all((std::istreambuf_iterator<char>(in)), {});
      for (const char* name : {"OMPI_COMM_WORLD_RANK=", "PMI_RANK="})
        if (('\0' + all).find('\0' + (name + std::to_string(rank)) + '\0') != std::string::npos)
          return pid;
    }
    return -1;
  }
  bool has_checkpoint(const std::string& out) const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder.path() / out, none))
      if (const std::string name = entry.path().filename();
          name.starts_with("checkpoint-") && name.ends_with(".safetensors"))
        return true;
    return false;
  }

  const TempFolder folder;
};

TEST_F(OverRanks, EveryRegularizerGivesTheSameBits) {
  for (const models::Regularizer& row : models::regularizer_table()) {
    std::string flag(row.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (row.family == models::Family::kOptimizer)  // settings of their own
      expect_same_bits({"--" + flag, "0.25"});
    else
      expect_same_bits({"--reg", std::string(row.name) + ":0.25"});
  }
}

TEST_F(OverRanks, EveryScheduleAndNormGivesTheSameBits) {
  for (const models::ScheduleKind& kind : models::schedule_kinds())
    expect_same_bits(
        {"--reg", "dropout:0.3~" + std::string(kind.name) + (kind.takes_fraction ? ":0.5" : "")});
  for (const models::NormKind& kind : models::norm_kinds())
    expect_same_bits({"--norm", std::string(kind.name), "--dropout", "0.2"});
  expect_same_bits({"--norm", "batchnorm", "--recalibrate-norm"});
}

TEST_F(OverRanks, MicroStepsBestWeightsAndPatienceGiveTheSameBits) {
  expect_same_bits({"--grad-accum", "2", "--reg", "dropout:0.2+r_drop:1"});
  expect_same_bits({"--stop", "best", "--unique-tokens", "16", "--lr", "0.1", "--recompute"});
  expect_same_bits(
      {"--patience", "1", "--unique-tokens", "16", "--lr", "0.3", "--eval-interval", "1"});
  expect_same_bits({"--norm", "batchnorm", "--grad-accum", "2"});
}

// Models of several buckets, which are summed while backward goes on.
TEST_F(OverRanks, OverlapOfLargerModelsGivesTheSameBits) {
  const Words large = {"--n-embd", "256"};
  expect_same_bits(large + Words{"--dropout", "0.2", "--norm", "batchnorm"});
  expect_same_bits(large + Words{"--reg", "drop_connect:0.2", "--grad-accum", "2"});
  const auto with = [&](const std::string& value) {
    const Words words =
        launch(2, settings("apart", large + Words{"--reg", "drop_connect:0.2", "--grad-accum", "2",
                                                  "--budget", "8steps"}));
    return Process::program(Words{"env", "ISODROP_OVERLAP=" + value} + words, folder.path()).wait();
  };
  EXPECT_EQ(with("0").code, 0);
  expect_same("apart", "one", "without overlap");
  const Result r = with("off");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("ISODROP_OVERLAP='off': give 0 or 1"), std::string::npos) << r.err;
}

TEST_F(OverRanks, MomentsInShardsGiveTheSameBitsAndGoOnOverAnyNumber) {
  const Words more = {"--n-embd", "256",      "--dropout", "0.1",    "--norm",
                      "rmsnorm",  "--budget", "10steps",   "--stop", "best"};
  ASSERT_EQ(isodrop(settings("one", more), folder.path()).code, 0);
  const Words shard = {"--shard-moments"}, stop = {"--time-limit", "0.000001s"};
  for (const int ranks : {2, 4}) {
    const Result r = over(ranks, settings("many", more + shard));
    ASSERT_EQ(r.code, 0) << r.err;
    expect_same("many", "one", std::to_string(ranks) + " ranks");
  }
  // From shards, to shards, by another number, and back.
  EXPECT_EQ(over(4, settings("parts", more + shard + stop)).code, 4);
  EXPECT_EQ(over(2, Words{"train", "--resume", "parts"} + shard + stop).code, 4);
  EXPECT_EQ(isodrop(Words{"train", "--resume", "parts"} + stop, folder.path()).code, 4);
  const Result r = over(2, Words{"train", "--resume", "parts", "--time-limit", "off"} + shard);
  ASSERT_EQ(r.code, 0) << r.err;
  expect_same("parts", "one", "after three stops");

  const Words alone = settings("alone", more + shard);
  const Result refused = isodrop(alone, folder.path());
  EXPECT_NE(only_error(alone, refused).find("--shard-moments: one process has all moments"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder.path() / "alone"));
}

TEST_F(OverRanks, WithMomentsInShardsARankThatDiesCostsTheStepsSinceTheCheckpoint) {
  const Words more = {"--budget",       "20000steps", "--eval-interval",       "5000",
                      "--n-embd",       "256",        "--checkpoint-interval", "3steps",
                      "--shard-moments"};
  Process launcher = Process::program(launch(2, settings("out", more)), folder.path());
  for (int i = 0; i < 6000 && launcher.running() && !has_checkpoint("out"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const pid_t pid = rank_of(launcher, 1);
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  const Result r = launcher.wait();
  EXPECT_NE(r.err.find("'isodrop train --resume out' continues it from its last checkpoint"),
            std::string::npos)
      << r.err;
  ASSERT_TRUE(has_checkpoint("out"));
  const Result rest =
      isodrop({"train", "--resume", "out", "--time-limit", "0.000001s"}, folder.path());
  EXPECT_EQ(rest.code, 4) << rest.err;
}

TEST_F(OverRanks, ARankThatDiesWhileBackwardGoesOnEndsTheRunToo) {
  const Words more = {
      "--budget",  "20000steps", "--eval-interval",       "5000",  "--n-embd", "256",
      "--dropout", "0.1",        "--checkpoint-interval", "5steps"};
  Process launcher = Process::program(launch(2, settings("out", more)), folder.path());
  for (int i = 0; i < 6000 && launcher.running() && !has_checkpoint("out"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const pid_t pid = rank_of(launcher, 1);
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  const Result r = launcher.wait();
  EXPECT_NE(r.err.find("'isodrop train --resume out' continues it"), std::string::npos) << r.err;
  EXPECT_FALSE(fs::exists(folder.path() / "out/model.safetensors"));
}

TEST_F(OverRanks, AStoppedRunGoesOnOverAnyNumber) {
  const Words budget = {"--budget", "40steps", "--norm", "batchnorm", "--dropout", "0.1"};
  ASSERT_EQ(isodrop(settings("whole", budget), folder.path()).code, 0);
  Result r = over(4, settings("out", budget + Words{"--time-limit", "0.000001s"}));
  EXPECT_NE(r.err.find("stopped at step 1 of 40 by --time-limit"), std::string::npos) << r.err;
  r = over(2, {"train", "--resume", "out", "--time-limit", "0.000001s"});
  EXPECT_NE(r.err.find("stopped at step 2 of 40"), std::string::npos) << r.err;
  r = over(4, {"train", "--resume", "out", "--time-limit", "off"});
  EXPECT_EQ(r.code, 0) << r.err;
  expect_same("out", "whole", "after two stops");
}

TEST_F(OverRanks, ARankThatDiesEndsTheRunWithAStateToGoOnFrom) {
  const Words more = {"--budget",  "20000steps", "--eval-interval",       "5000",
                      "--dropout", "0.1",        "--checkpoint-interval", "10steps"};
  for (const int victim : {1, 0}) {
    const std::string out = "out" + std::to_string(victim);
    Process launcher = Process::program(launch(2, settings(out, more)), folder.path());
    for (int i = 0; i < 6000 && launcher.running() && !has_checkpoint(out); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const pid_t pid = rank_of(launcher, victim);
    ASSERT_GT(pid, 0);
    ::kill(pid, SIGKILL);
    const Result r = launcher.wait();
    EXPECT_NE(r.code, 0) << r.err;
    // Who leads says how to go on, unless it is the one that died.
    EXPECT_EQ(r.err.find("'isodrop train --resume " + out + "' continues") != std::string::npos,
              victim != 0)
        << r.err;
    EXPECT_FALSE(fs::exists(folder.path() / out / "model.safetensors"));
    ASSERT_TRUE(has_checkpoint(out));
    const Result rest =
        isodrop({"train", "--resume", out, "--time-limit", "0.000001s"}, folder.path());
    EXPECT_EQ(rest.code, 4) << rest.err;
  }
}

TEST_F(OverRanks, ASignalToTheLauncherStopsAndKeepsTheState) {
  const Words more = {"--budget", "20000steps", "--eval-interval", "5000", "--checkpoint-interval",
                      "off"};
  Process launcher = Process::program(launch(2, settings("out", more)), folder.path());
  for (int i = 0;
       i < 6000 && launcher.running() && !fs::exists(folder.path() / "out/metrics.jsonl"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  launcher.kill(SIGTERM);
  const Result r = launcher.wait();
  EXPECT_NE(r.code, 0);
  EXPECT_TRUE(has_checkpoint("out")) << r.err;
  EXPECT_NE(r.err.find("'isodrop train --resume out' continues it"), std::string::npos) << r.err;
}

// Its state is on all of them: each must still send its part. Three times, since on a busy machine
// a process may say nothing for as long as rank 0 waits.
TEST_F(OverRanks, ASignalStopsAndKeepsMomentsInShards) {
  const Words more = {
      "--budget", "20000steps", "--eval-interval", "5000",     "--checkpoint-interval", "off",
      "--n-embd", "256",        "--shard-moments", "--restart"};
  Result r;
  for (int attempt = 0; attempt < 3 && !has_checkpoint("out"); ++attempt) {
    fs::remove_all(folder.path() / "out");
    Process launcher = Process::program(
        Words{"env", "ISODROP_SLOW_LINK=1000,100"} + launch(2, settings("out", more)),
        folder.path());
    for (int i = 0;
         i < 6000 && launcher.running() && !fs::exists(folder.path() / "out/metrics.jsonl"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const pid_t pid = rank_of(launcher, 0);
    ASSERT_GT(pid, 0);
    ::kill(pid, SIGTERM);
    r = launcher.wait();
    EXPECT_NE(r.code, 0);
  }
  ASSERT_TRUE(has_checkpoint("out")) << r.err;
  EXPECT_NE(r.err.find("'isodrop train --resume out' continues it"), std::string::npos) << r.err;
  const Result rest =
      isodrop({"train", "--resume", "out", "--time-limit", "0.000001s"}, folder.path());
  EXPECT_EQ(rest.code, 4) << rest.err;
}

TEST_F(OverRanks, WhatCannotBeSharedIsRefusedOnce) {
  const auto errors = [](const Result& r) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = r.err.find("isodrop: error:", at)) != std::string::npos; ++at)
      ++count;
    return count;
  };
  Result r = over(2, settings("out", {"--budget", "8steps", "--shards", "1"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("give --shards 2 or a larger power of two"), std::string::npos) << r.err;
  EXPECT_EQ(errors(r), 1U) << r.err;
  r = over(3, settings("out", {"--budget", "8steps"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("not a power of two: start 2"), std::string::npos) << r.err;
  EXPECT_EQ(errors(r), 1U) << r.err;
  r = over(2, settings("out", {"--budget", "8stops"}));
  EXPECT_EQ(r.code, 2);
  EXPECT_EQ(errors(r), 1U) << r.err;
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

}  // namespace
}  // namespace tests
