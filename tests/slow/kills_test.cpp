// Two commands at work on one study while they and their workers are killed at random moments:
// nothing is lost, nothing is made twice but what was killed, and the table is that of a study that
// nobody disturbed. ISODROP_KILLS=100 kills so often; 10 in the suite.
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
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

/// Counts, run by run, how often its making was begun (its log's temporary is created) and ended
/// (its record is put in place).
class MakingCounts {
 public:
  MakingCounts(const fs::path& store, const std::set<std::string>& ids)
      : file_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    for (const std::string& id : ids) {
      fs::create_directories(store / id);
      const int watch =
          inotify_add_watch(file_, (store / id).c_str(), IN_CREATE | IN_MOVED_TO | IN_DELETE);
      EXPECT_GE(watch, 0) << std::strerror(errno);
      ids_[watch] = id;
      ended[id] = 0;
    }
  }
  ~MakingCounts() { close(file_); }
  MakingCounts(const MakingCounts&) = delete;
  MakingCounts& operator=(const MakingCounts&) = delete;

  void read_all() {
    alignas(inotify_event) std::array<char, 1 << 16> bytes;
    for (ssize_t n; (n = read(file_, bytes.data(), bytes.size())) > 0;)
      for (ssize_t at = 0; at < n;) {
        const auto* event = reinterpret_cast<const inotify_event*>(bytes.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        ASSERT_EQ(event->mask & IN_Q_OVERFLOW, 0U);
        const std::string name = event->len > 0 ? event->name : "";
        if ((event->mask & IN_CREATE) != 0 && name.starts_with("metrics.jsonl.")) ++begun;
        if (name != "record.json") continue;
        EXPECT_EQ(event->mask & IN_DELETE, 0U) << "a record is gone";
        if ((event->mask & IN_MOVED_TO) != 0) ++ended[ids_.at(event->wd)];
      }
  }
  std::size_t done() const {
    return static_cast<std::size_t>(
        std::count_if(ended.begin(), ended.end(), [](const auto& e) { return e.second > 0; }));
  }

  int begun = 0;
  std::map<std::string, int> ended;

 private:
  int file_ = -1;
  std::map<int, std::string> ids_;
};

TEST(Kills, NothingIsLostAndNothingIsMadeTwice) {
  const int kills = kills_wanted(10), seeds = kills + kills / 10 + 3;
  const TempFolder folder;
  folder.write("text.txt", small_text(12000));
  // Two runs for each kill, and some more.
  const Words args = {"compare",
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
                      "600steps",
                      "--arm",
                      "none",
                      "--arm",
                      "dropout=0.1",
                      "--jobs",
                      "2",
                      "--threads",
                      "2",
                      "--seeds",
                      std::to_string(seeds),
                      "--format",
                      "json"};
  const Result undisturbed =
      isodrop(args + Words{"--store", "calm", "--out", "calm-out"}, folder.path());
  ASSERT_EQ(undisturbed.code, 0) << describe(args, undisturbed);
  std::set<std::string> ids;
  for (const auto& [id, record] : records(folder.path() / "calm")) ids.insert(id);
  ASSERT_EQ(ids.size(), 2U * static_cast<std::size_t>(seeds));
  const double one_run = 2 * undisturbed.seconds / static_cast<double>(ids.size());

  MakingCounts counts(folder.path() / "runs", ids);
  std::mt19937 random(7);
  const auto draw = [&](double below) {
    return std::uniform_real_distribution<double>(0, below)(random);
  };
  std::array<std::optional<Process>, 2> commands;
  int killed_commands = 0, killed_workers = 0, restarted = 0;
  for (auto& command : commands) command.emplace(args, folder.path());
  const auto keep_going = [&] {
    for (auto& command : commands) {
      if (command->running()) continue;
      // It was killed, or has gone through: with runs that failed, since their workers were killed.
      const Result r = command->wait();
      EXPECT_TRUE(r.code == 0 || r.code == 1 || r.code == 128 + SIGKILL) << describe(args, r);
      EXPECT_EQ(r.code == 1, r.err.find("not one run") != std::string::npos) << r.err;
      command.emplace(args, folder.path());
      ++restarted;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    counts.read_all();
  };
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60 + 10 * kills);
  const auto in_time = [&] { return std::chrono::steady_clock::now() < patience; };

  while (killed_commands + killed_workers < kills && counts.done() < ids.size() && in_time()) {
    // As far on in the study as in the kills, then at any moment of a run.
    const auto due = static_cast<std::size_t>(killed_commands + killed_workers) * 2;
    while (counts.done() < due && in_time()) keep_going();
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(draw(one_run));
    while (std::chrono::steady_clock::now() < until) keep_going();
    Process& command = *commands[draw(1) < 0.5 ? 0 : 1];
    if (draw(1) < 0.5) {
      if (!command.running()) continue;
      command.kill();
      ++killed_commands;
    } else {
      const std::vector<pid_t> workers = command.children();
      if (workers.empty()) continue;
      const auto which = static_cast<std::size_t>(draw(static_cast<double>(workers.size())));
      if (kill(workers[which], SIGKILL) == 0) ++killed_workers;
    }
  }
  while (counts.done() < ids.size() && in_time()) keep_going();
  for (auto& command : commands) command->wait();
  counts.read_all();
  EXPECT_EQ(killed_commands + killed_workers, kills) << "the study was over before";

  for (const auto& [id, times] : counts.ended) EXPECT_EQ(times, 1) << id;
  // Whoever is killed was making one run, or two through its workers.
  const int lost = counts.begun - static_cast<int>(ids.size());
  EXPECT_LE(lost, killed_workers + 2 * killed_commands);
  std::printf("%d commands and %d workers killed, %d restarts, %zu runs, %d makings cut short\n",
              killed_commands, killed_workers, restarted, ids.size(), lost);

  const auto made = records(folder.path() / "runs");
  ASSERT_EQ(made.size(), ids.size());
  for (const auto& [id, record] : made) {
    ASSERT_TRUE(ids.contains(id));
    EXPECT_FALSE(Json::parse(record, nullptr, false).is_discarded()) << id;
    for (const auto& entry : fs::directory_iterator(folder.path() / "runs" / id))
      EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
    std::string log = folder.read("runs/" + id + "/metrics.jsonl");
    ASSERT_TRUE(log.ends_with('\n')) << id;
    log.pop_back();
    EXPECT_EQ(Json::parse(log.substr(log.rfind('\n') + 1))["step"], 600) << id;
  }
  // A command whose worker was killed has shown a verdict without that run, which is a look.
  fs::remove_all(folder.path() / "runs" / "looks");
  const Result last = isodrop(args, folder.path());
  ASSERT_EQ(last.code, 0) << describe(args, last);
  EXPECT_EQ(losses(json_of(args, last)), losses(json_of(args, undisturbed)));
  EXPECT_EQ(records(folder.path() / "runs"), made);
}

}  // namespace
}  // namespace tests
