// Commands that write folders are killed (SIGKILL) at random moments, also while a temporary is
// there; the next one leaves none. ISODROP_KILLS=50 kills so often; 6 in the suite.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <thread>

#include "tests/cli/cli_harness.h"
#include "tests/slow/kills_wanted.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

namespace fs = std::filesystem;

class Leftovers : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(20000));
    folder.write("study.toml", R"(title = "t"
question = "q"
[base]
text = "text.txt"
preset = "tiny"
n_embd = 16
block_size = 16
batch = 4
eval_tokens = 200
budget = "3steps"
[study]
arms = ["a: none", "b: dropout=0.1"]
seeds = 2
[[figures]]
name = "harm"
of = "difference"
[rule]
supported = ["harm above 0"]
contradicted = ["harm below 0"]
)");
    fs::create_directory(folder.path() / "tmp");
  }
  int temporaries() const {
    int count = 0;
    std::error_code code;  // files come and go
    for (fs::recursive_directory_iterator it(folder.path(), code), end; !code && it != end;
         it.increment(code)) {
      const std::string name = it->path().filename().string();
      count += name.ends_with(".tmp") || name.starts_with("isodrop-scratch-") ? 1 : 0;
    }
    return count;
  }
  void works(const Words& args) const {
    const Result r = isodrop(args, folder.path(), environment);
    ASSERT_EQ(r.code, 0) << describe(args, r);
  }
  /// Kills it again and again, after `prepare` has given it something to do.
  void kill_and_go_on(
      const Words& args, const std::function<void()>& prepare = [] {}) {
    std::mt19937 random(7);
    const Result whole = isodrop(args, folder.path(), environment);
    ASSERT_EQ(whole.code, 0) << describe(args, whole);
    int left = 0;
    for (int i = 0; i < kills_wanted(6); ++i) {
      prepare();
      Process process(args, folder.path(), environment);
      if (i % 2 == 0)
        std::this_thread::sleep_for(std::chrono::duration<double>(
            whole.seconds * static_cast<double>(random() % 100) / 100));
      else  // while it writes
        while (process.running() && temporaries() == 0) continue;
      process.kill();
      process.wait();
      left += temporaries();
    }
    works(args);
    EXPECT_EQ(temporaries(), 0);
    std::printf("%d temporaries were left\n", left);
  }
  const TempFolder folder;
  const Words environment = {"TMPDIR=tmp"};
};

TEST_F(Leftovers, OfCollect) {
  works({"study", "study.toml", "--store", "other", "--out", "first"});
  kill_and_go_on({"study", "study.toml", "--collect", "other"}, [&] {
    for (const auto& [id, record] : records(folder.path() / "runs"))
      fs::remove(folder.path() / "runs" / id / "record.json");
  });
}

TEST_F(Leftovers, OfPlan) {
  kill_and_go_on({"study", "study.toml", "--plan", "plan", "--engine", "slurm"});
}

TEST_F(Leftovers, OfExport) {
  works({"train", "--text", "text.txt", "--preset", "tiny", "--budget", "3steps", "--out", "run"});
  kill_and_go_on({"export", "run", "--hf", "hf"});
}

TEST_F(Leftovers, OfPublish) {
  works({"study", "study.toml", "--publish", "docs"});
  kill_and_go_on({"study", "study.toml", "--from", "docs", "--publish", "docs"});
}

}  // namespace
}  // namespace tests
