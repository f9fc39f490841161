// A training run that is killed (SIGKILL) at random moments and resumed each time ends in the same
// bits as one that nobody disturbed. ISODROP_KILLS=50 kills so often; 6 in the suite.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/slow/kills_wanted.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

/// metrics.jsonl without seconds, and without the lines that come once a second.
Words log(const TempFolder& folder, const std::string& out) {
  Words lines;
  std::istringstream in(folder.read(out + "/metrics.jsonl"));
  for (std::string line; std::getline(in, line);) {
    Json json = Json::parse(line);
    json.erase("seconds");
    if (!json["val_loss"].is_null()) lines.push_back(json.dump());
  }
  return lines;
}

Json summary(const TempFolder& folder, const std::string& out) {
  Json json = Json::parse(folder.read(out + "/summary.json"));
  for (const char* time : {"seconds", "eval_seconds", "setup_seconds", "gflops"}) json.erase(time);
  return json;
}

TEST(TrainKills, EndInTheSameBits) {
  const int kills = kills_wanted(6);
  const TempFolder folder;
  folder.write("text.txt", small_text(20000));
  const Words settings = {"--text",          "text.txt",
                          "--preset",        "tiny",
                          "--norm",          "batchnorm",
                          "--dropout",       "0.1",
                          "--budget",        std::to_string(300 + 60 * kills) + "steps",
                          "--stop",          "best",
                          "--eval-interval", "40",
                          "--grad-accum",    "2",
                          "--threads",       "2"};
  const Words calm = Words{"train", "--out", "calm"} + settings;
  const Result undisturbed = isodrop(calm, folder.path());
  ASSERT_EQ(undisturbed.code, 0) << describe(calm, undisturbed);

  std::mt19937 random(11);
  const Words first = Words{"train", "--out", "out", "--checkpoint-interval", "7steps"} + settings;
  const Words rest = {"train", "--resume", "out", "--checkpoint-interval", "7steps"};
  int killed = 0, resumed = 0, during_a_save = 0;
  std::set<std::string> from;  // where it went on
  const auto step_of = [&]() -> std::string {
    std::string newest;
    for (const auto& entry : fs::directory_iterator(folder.path() / "out"))
      if (const std::string name = entry.path().filename().string();
          name.starts_with("checkpoint-") && name.ends_with(".safetensors"))
        newest = std::max(newest, name);
    return newest;
  };
  const auto cut_short = [&] {
    int files = 0;
    for (const auto& entry : fs::directory_iterator(folder.path() / "out"))
      files += entry.path().extension() == ".tmp" ? 1 : 0;
    return files;
  };
  while (killed < kills) {
    const bool anew = !fs::exists(folder.path() / "out") || step_of().empty();
    Process process(anew ? first : rest, folder.path());
    const std::string before = anew ? "" : step_of();
    // Some steps on, then at any moment.
    while (process.running() && (!fs::exists(folder.path() / "out") || step_of() <= before))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (killed % 2 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20000));
    else  // while it saves
      while (process.running() && cut_short() == 0) continue;
    if (!process.running()) {
      const Result ended = process.wait();
      ASSERT_EQ(ended.code, 0) << describe(rest, ended);
      break;
    }
    process.kill();
    process.wait();
    ++killed;
    resumed += anew ? 0 : 1;
    from.insert(step_of());
    during_a_save += cut_short();
  }
  EXPECT_EQ(killed, kills) << "it had ended before";
  const Result last = isodrop(rest, folder.path());
  ASSERT_EQ(last.code, 0) << describe(rest, last);
  std::printf("%d kills, %d files cut short, gone on from %zu states\n", killed, during_a_save,
              from.size());
  EXPECT_EQ(folder.read("out/model.safetensors"), folder.read("calm/model.safetensors"));
  EXPECT_EQ(log(folder, "out"), log(folder, "calm"));
  EXPECT_EQ(summary(folder, "out"), summary(folder, "calm"));
  EXPECT_EQ(folder.read("out/config.json"), folder.read("calm/config.json"));
  for (const auto& entry : fs::directory_iterator(folder.path() / "out"))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

// While a finished run's budget grows: at every moment there is a run that goes on, to the same
// end.
TEST(TrainKills, AnExtensionIsWholeOrNotThere) {
  const TempFolder folder;
  folder.write("text.txt", small_text(5000));
  const Words begin = {"train",    "--text", "text.txt", "--preset",  "tiny",
                       "--n-embd", "16",     "--batch",  "4",         "--budget",
                       "50steps",  "--out",  "begun",    "--threads", "1"};
  ASSERT_EQ(isodrop(begin, folder.path()).code, 0);
  const auto copy = [&](const std::string& to) {
    fs::remove_all(folder.path() / to);
    fs::copy(folder.path() / "begun", folder.path() / to, fs::copy_options::recursive);
  };
  const auto extend = [](const std::string& out) {
    return Words{"train", "--resume", out, "--budget", "100steps"};
  };
  copy("calm");
  const Result calm = isodrop(extend("calm"), folder.path());
  ASSERT_EQ(calm.code, 0) << calm.err;
  std::mt19937 random(3);
  int killed = 0;
  for (int i = 0; i < kills_wanted(6); ++i) {
    copy("out");
    Process process(extend("out"), folder.path());
    std::this_thread::sleep_for(
        std::chrono::duration<double>(calm.seconds * static_cast<double>(random() % 1000) / 1000));
    process.kill();
    killed += process.wait().code == 128 + SIGKILL ? 1 : 0;
    // With the old budget or the new one, there is a run.
    const Result same = isodrop({"train", "--resume", "out"}, folder.path());
    ASSERT_EQ(same.code, 0) << same.err;
    const Result end = isodrop(extend("out"), folder.path());
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(folder.read("out/model.safetensors"), folder.read("calm/model.safetensors"));
    EXPECT_EQ(summary(folder, "out"), summary(folder, "calm"));
    EXPECT_EQ(log(folder, "out"), log(folder, "calm"));
  }
  EXPECT_GT(killed, 0);
}

}  // namespace
}  // namespace tests
