// Stopping a run of `isodrop train` and going on with it, as a user meets it.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const Words kSmall = {"--text",          "text.txt", "--preset",      "tiny", "--n-embd",  "16",
                      "--batch",         "4",        "--block-size",  "16",   "--dropout", "0.1",
                      "--eval-interval", "50",       "--eval-tokens", "200"};

class TrainResume : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(5000)); }

  Words train(const std::string& out, const std::string& budget) const {
    return Words{"train", "--out", out, "--budget", budget} + kSmall;
  }
  Result run(const Words& args) const { return isodrop(args, folder.path()); }
  bool there(const std::string& name) const { return fs::exists(folder.path() / name); }
  Words checkpoints(const std::string& out) const {
    Words names;
    for (const auto& entry : fs::directory_iterator(folder.path() / out))
      if (entry.path().filename().string().starts_with("checkpoint-"))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  /// What a run has told at its evaluations, without seconds.
  Words log(const std::string& out) const {
    Words lines;
    std::istringstream in(folder.read(out + "/metrics.jsonl"));
    for (std::string line; std::getline(in, line);) {
      Json json = Json::parse(line);
      json.erase("seconds");
      if (!json["val_loss"].is_null()) lines.push_back(json.dump());
    }
    return lines;
  }
  Json summary(const std::string& out) const {
    Json json = Json::parse(folder.read(out + "/summary.json"));
    for (const char* time : {"seconds", "eval_seconds", "setup_seconds", "gflops"})
      json.erase(time);
    return json;
  }
  void expect_same_runs(const std::string& a, const std::string& b) const {
    EXPECT_EQ(folder.read(a + "/model.safetensors"), folder.read(b + "/model.safetensors"));
    EXPECT_EQ(log(a), log(b));
    EXPECT_EQ(summary(a), summary(b));
    EXPECT_EQ(folder.read(a + "/config.json"), folder.read(b + "/config.json"));
  }
  /// Starts a run that takes long and stops it by a signal once it has told something.
  Result stopped(const Words& args, const std::string& out, int signal) const {
    Process process(args, folder.path());
    for (int i = 0; i < 3000 && process.running() && log_size(out) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    process.kill(signal);
    return process.wait();
  }
  std::uintmax_t log_size(const std::string& out) const {
    std::error_code none;
    const auto size = fs::file_size(folder.path() / out / "metrics.jsonl", none);
    return none ? 0 : size;
  }
  /// A run that was stopped at its first evaluation or so.
  void stop_one(const std::string& out, const std::string& budget = "400steps") const {
    const Words args = train(out, budget);
    const Result r = stopped(args, out, SIGTERM);
    ASSERT_EQ(r.code, 143) << describe(args, r);
  }

  const TempFolder folder;
};

TEST_F(TrainResume, AfterASignalItEndsAsIfNobodyHadStoppedIt) {
  const Result whole = run(train("whole", "800steps"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}}) {
    const std::string out = "run" + std::to_string(code);
    const Words args = train(out, "800steps");
    const Result r = stopped(args, out, signal);
    EXPECT_EQ(r.code, code) << describe(args, r);
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.err.find("'isodrop train --resume " + out + "' continues it"), std::string::npos)
        << r.err;
    EXPECT_EQ(checkpoints(out).size(), 1U);
    EXPECT_FALSE(there(out + "/model.safetensors"));
    const Result rest = run({"train", "--resume", out});
    EXPECT_EQ(rest.code, 0) << rest.err;
    EXPECT_NE(rest.err.find("continues from"), std::string::npos) << rest.err;
    expect_same_runs(out, "whole");
    EXPECT_EQ(checkpoints(out), Words{"checkpoint-000800.safetensors"});
  }
}

TEST_F(TrainResume, ATimeLimitStopsAndHasACodeOfItsOwn) {
  ASSERT_EQ(run(train("whole", "100steps")).code, 0);
  Words args = train("out", "100steps") + Words{"--time-limit", "0.000001s"};
  Result r = run(args);
  EXPECT_EQ(r.code, 4) << describe(args, r);
  EXPECT_NE(r.err.find("stopped at step 1 of 100 by --time-limit; 'isodrop train --resume out'"),
            std::string::npos)
      << r.err;
  r = run({"train", "--resume", "out", "--time-limit", "1h", "--threads", "1"});
  EXPECT_EQ(r.code, 0) << r.err;
  // How many threads is of the machine that ended it, and not of the run.
  EXPECT_EQ(folder.read("out/model.safetensors"), folder.read("whole/model.safetensors"));
}

TEST_F(TrainResume, FlagsAreKeptAndMayBeOverridden) {
  const Words args = train("out", "100steps") + Words{"--time-limit",
                                                      "0.000001s",
                                                      "--log",
                                                      "jsonl,tensorboard",
                                                      "--norms-interval",
                                                      "10",
                                                      "--checkpoint-interval",
                                                      "off"};
  ASSERT_EQ(run(args).code, 4);
  const auto event_files = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder.path() / "out"))
      count += entry.path().filename().string().starts_with("events.out.tfevents.");
    return count;
  };
  EXPECT_EQ(event_files(), 1U);
  Result r = run({"train", "--resume", "out"});
  EXPECT_EQ(r.code, 4) << "the time limit is kept: " << r.err;
  EXPECT_NE(r.err.find("stopped at step 2 of 100"), std::string::npos) << r.err;
  EXPECT_EQ(event_files(), 2U) << "TensorBoard is kept";
  r = run({"train", "--resume", "out", "--time-limit", "off", "--log", "jsonl"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(event_files(), 2U) << "--log is overridden";
  EXPECT_EQ(checkpoints("out"), Words{"checkpoint-000002.safetensors"}) << "off is kept";
  EXPECT_EQ(Json::parse(folder.read("out/flags.json")),
            (Json{{"checkpoint-interval", "off"}, {"time-limit", "off"}, {"log", "jsonl"}}));
  std::int64_t last = 0;
  std::istringstream lines(folder.read("out/metrics.jsonl"));
  for (std::string line; std::getline(lines, line); last = Json::parse(line)["step"])
    EXPECT_GT(Json::parse(line)["step"], last);
  // A file from elsewhere is not trusted.
  ASSERT_EQ(run(args + Words{"--restart"}).code, 4);
  for (const auto& [flags, part] :
       std::vector<std::pair<std::string, std::string>>{{R"({"out": "x"})", "'out' is no flag"},
                                                        {R"({"log": "csv"})", "no log 'csv'"},
                                                        {R"({"time-limit": "soon"})", "soon"}}) {
    folder.write("out/flags.json", flags);
    const Words resume = {"train", "--resume", "out"};
    EXPECT_NE(only_error(resume, run(resume)).find(part), std::string::npos);
  }
}

TEST_F(TrainResume, AnUnfinishedRunIsNotOverwritten) {
  stop_one("out");
  const auto before = folder.snapshot();
  const Words args = train("out", "10steps");
  const std::string error = only_error(args, run(args));
  for (const char* part : {"holds an unfinished run", "--resume out", "--restart"})
    EXPECT_NE(error.find(part), std::string::npos) << error;
  EXPECT_EQ(changes(before, folder.snapshot()), Words{});
  EXPECT_EQ(run(args + Words{"--restart"}).code, 0);
  EXPECT_EQ(summary("out")["steps"], 10);
  EXPECT_EQ(checkpoints("out"), Words{"checkpoint-000010.safetensors"});
  EXPECT_FALSE(there("out/previous"));
  // One that has ended moves aside, with its last state.
  EXPECT_EQ(run(args).code, 0);
  EXPECT_TRUE(there("out/previous/checkpoint-000010.safetensors"));
  EXPECT_EQ(run({"train", "--resume", "out/previous", "--budget", "12steps"}).code, 0);
}

TEST_F(TrainResume, OtherSettingsAreRefusedWithTheDifference) {
  stop_one("out");
  const auto before = folder.snapshot();
  const auto refuse = [&](const Words& more, const std::string& part) {
    const Words args = Words{"train", "--resume", "out"} + more;
    const std::string error = only_error(args, run(args));
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << describe(more, {});
  };
  refuse({"--lr", "0.002"}, "--lr 0.002: the run in 'out' has 0.004");
  refuse({"--n-embd", "32"}, "--n-embd 32: the run in 'out' has 16");
  refuse({"--preset", "char"}, "--preset char, which is --n-layer 6: the run in 'out' has 2");
  refuse({"--patience", "3"}, "--patience 3: the run in 'out' has 0");
  refuse({"--budget", "300steps"}, "--budget 300steps: the run in 'out' has 400steps");
  refuse({"--budget", "1h"}, "a budget of time does not grow");
  refuse({"--out", "elsewhere"}, "--out");
  refuse({"--compare"}, "does nothing with --compare");
  folder.write("other.txt", small_text(5000, 2));
  const Words args = {"train", "--resume", "out", "--text", "other.txt"};
  EXPECT_NE(only_error(args, run(args)).find("these are not the data"), std::string::npos);
  // The same settings, said again, and the same text elsewhere are no difference.
  folder.write("moved.txt", folder.read("text.txt"));
  fs::remove(folder.path() / "text.txt");
  EXPECT_EQ(run({"train", "--resume", "out", "--text", "moved.txt", "--lr", "0.004", "--budget",
                 "400steps"})
                .code,
            0);
}

TEST_F(TrainResume, WhatIsNoRunIsNamed) {
  folder.write("empty/notes.txt", "");
  folder.write("broken/config.json", "{");
  ASSERT_EQ(run(train("none", "2steps") + Words{"--checkpoint-interval", "off"}).code, 0);
  EXPECT_TRUE(checkpoints("none").empty());
  for (const auto& [args, part] : std::vector<std::pair<Words, std::string>>{
           {{"nowhere"}, "no such folder"},
           {{"empty"}, "is not a run"},
           {{"broken"}, "not valid JSON"},
           {{"none", "--budget", "9steps"}, "has no checkpoint"}}) {
    const Words all = Words{"train", "--resume"} + args;
    const std::string error = only_error(all, run(all));
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
  for (const char* interval : {"500", "0steps", "-1s", "5epochs", "soon", "1.5steps"}) {
    const Words args = train("x", "2steps") + Words{"--checkpoint-interval", interval};
    EXPECT_NE(only_error(args, run(args)).find("give off, 500steps, 30s or 5min"),
              std::string::npos);
  }
  EXPECT_FALSE(there("x"));
}

TEST_F(TrainResume, AFinishedRunHasNothingToDoUntilItsBudgetGrows) {
  ASSERT_EQ(run(train("out", "100steps")).code, 0);
  auto before = folder.snapshot();
  const Result again = run({"train", "--resume", "out", "--format", "json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("is finished"), std::string::npos) << again.err;
  EXPECT_EQ(Json::parse(again.out), Json::parse(folder.read("out/summary.json")));
  EXPECT_EQ(changes(before, folder.snapshot()), Words{});

  const std::string first = folder.read("out/model.safetensors");
  const Result longer = run({"train", "--resume", "out", "--budget", "200steps"});
  EXPECT_EQ(longer.code, 0) << longer.err;
  EXPECT_NE(longer.err.find("100steps becomes 200steps from step 100 on as a new schedule"),
            std::string::npos)
      << longer.err;
  EXPECT_EQ(folder.read("out/previous/model.safetensors"), first);
  EXPECT_EQ(run({"eval", "out/previous"}).code, 0);
  EXPECT_EQ(run({"eval", "out"}).code, 0);
  EXPECT_EQ(summary("out")["steps"], 200);
  EXPECT_EQ(summary("out")["extended"], (Json{{{"budget", "100steps"}, {"until", 100}}}));
  EXPECT_EQ(log("out").size(), 4U);
  // It is not what a run of that budget is, and does not say so.
  ASSERT_EQ(run(train("plain", "200steps")).code, 0);
  EXPECT_NE(summary("plain")["id"], summary("out")["id"]);
  EXPECT_EQ(summary("plain")["extended"], Json::array());
}

TEST_F(TrainResume, ADamagedCheckpointGivesWayToTheOneBefore) {
  ASSERT_EQ(run(train("whole", "300steps")).code, 0);
  Process process(train("out", "300steps") + Words{"--checkpoint-interval", "10steps"},
                  folder.path());
  while (process.running() && (log_size("out") == 0 || checkpoints("out").size() < 2))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  process.kill();
  process.wait();
  const Words left = checkpoints("out");
  ASSERT_GE(left.size(), 2U);
  ASSERT_FALSE(there("out/summary.json")) << "it ended before it was killed";
  Words whole;
  for (const std::string& name : left)
    if (name.ends_with(".safetensors")) whole.push_back(name);
  std::string bytes = folder.read("out/" + whole.back());
  bytes[bytes.size() / 2] ^= 1;
  folder.write("out/" + whole.back(), bytes);
  const Result r = run({"train", "--resume", "out"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.err.find(whole.back() + ": not a usable safetensors file"), std::string::npos)
      << r.err;
  EXPECT_NE(r.err.find("continues from out/" + whole[whole.size() - 2]), std::string::npos)
      << r.err;
  EXPECT_EQ(folder.read("out/" + whole.back() + ".1.aside"), bytes) << "nothing is removed";
  expect_same_runs("out", "whole");
}

TEST_F(TrainResume, AFolderIsOneProcesses) {
  Process process(train("out", "100000steps"), folder.path());
  while (process.running() && log_size("out") == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  for (const Words& args : {Words{"train", "--resume", "out"}, train("out", "10steps")}) {
    const std::string error = only_error(args, run(args));
    EXPECT_NE(error.find("another process is training there"), std::string::npos) << error;
  }
  EXPECT_TRUE(process.running());
  process.kill();
  process.wait();
}

// One evaluation without improvement is enough, where nothing can be learned.
TEST_F(TrainResume, PatienceEndsARunAndSaysHowMuchOfTheBudgetItTook) {
  const Words args = train("out", "1000steps") + Words{"--lr", "0", "--patience", "2"};
  const Result r = run(args);
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(
      r.out.find("by patience: no lower validation loss in 2 evaluations; 0.15 of the budget"),
      std::string::npos)
      << r.out;
  EXPECT_EQ(summary("out")["steps"], 150);
  EXPECT_EQ(summary("out")["budget_spent"], 0.15);
  const Result again = run({"train", "--resume", "out"});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("is finished"), std::string::npos) << again.err;
  ASSERT_EQ(run(train("whole", "50steps")).code, 0);
  EXPECT_TRUE(summary("whole")["budget_spent"].is_null());
}

TEST_F(TrainResume, ADivergedRunIsNotGoneOnWith) {
  const Words args = train("out", "400steps") + Words{"--lr", "1e25", "--grad-clip", "0"};
  EXPECT_EQ(run(args).code, 3);
  const Result again = run({"train", "--resume", "out"});
  EXPECT_EQ(again.code, 3) << again.err;
  EXPECT_NE(again.err.find("diverged, and would again"), std::string::npos) << again.err;
  EXPECT_EQ(run(train("out", "10steps")).code, 0) << "it is in nobody's way";
}

TEST_F(TrainResume, ComparisonsSayWhoStoppedShortOfTheBudget) {
  const Words args = Words{"compare", "--budget", "1000steps", "--patience", "2", "--arm",
                           "none",    "--arm",    "lr=0",      "--seeds",    "2", "--verbose"} +
                     kSmall;
  const Result r = run(args);
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_NE(r.out.find("lr=0: NOT AT EQUAL COMPUTE: patience ended 2 of 2 runs, after 15"),
            std::string::npos)
      << r.out;
}

}  // namespace
}  // namespace tests
