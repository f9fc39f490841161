// benchmarks/peers/compare_step.py with stand-ins for the programs it times. What a stand-in says a
// step took tells whether the step was one that may count; no real time is looked at.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/cli_harness.h"

namespace {

namespace fs = std::filesystem;
using tests::operator+;
using tests::Words;

// 7.5 ms for a step that ran through, 9000 for the first one and for those that a stop fell into.
constexpr const char* kTrainer = R"py(#!/usr/bin/env python3
import signal, time
broken = True
def continued(*_):
    global broken
    broken = True
    print("continued", file=open("log", "a"))
signal.signal(signal.SIGCONT, continued)
open("gpt2_124M.bin").close()
print("started", file=open("log", "a"))
print("val loss 5.325290")
for step in range(7):
    time.sleep(0.01)
    print(f"step {step}: train loss 4.5 (took {9000 if broken else 7.5:.6f} ms)")
    broken = False
)py";

constexpr const char* kServed = R"py(#!/usr/bin/env python3
import sys
open("flags", "w").write(" ".join(sys.argv[1:]))
print("ready", flush=True)
for line in sys.stdin:
    print(2.5, flush=True)
)py";

class CompareStep : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c 'import pty' 2>/dev/null") != 0)
      GTEST_SKIP() << "needs python3, which only the peer benchmarks do";
    program("served", kServed);
    trainer_ = program("llm c/train_gpt2", kTrainer);
  }
  fs::path program(const std::string& name, const std::string& text) {
    const fs::path path = folder_.write(name, text);
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  tests::Result run(const Words& flags) {
    const Words command = {"python3",   ISODROP_SOURCE_DIR "/benchmarks/peers/compare_step.py",
                           "--isodrop", (folder_.path() / "served").string(),
                           "--format",  "json"};
    return tests::Process::program(command + flags, folder_.path()).wait();
  }
  Words with_llmc(const Words& flags) const {
    return Words{"--preset", "gpt2", "--dropout", "0", "--llmc", trainer_.string(), "--no-torch"} +
           flags;
  }

  tests::TempFolder folder_;
  fs::path trainer_;
};

TEST_F(CompareStep, StopsLlmcBetweenItsTurnsAndCountsWholeSteps) {
  folder_.write("llm c/gpt2_124M.bin", "");
  const auto r = run(with_llmc({"--rounds", "6", "--warmup", "1", "--steps", "2"}));
  ASSERT_EQ(r.code, 0) << r.err;
  const auto result = nlohmann::json::parse(r.out);
  ASSERT_EQ(result["rounds"].size(), 6u);
  for (const auto& round : result["rounds"]) {
    EXPECT_EQ(round["llm.c"], 7.5);
    EXPECT_EQ(round["isodrop"], 2.5);
  }
  EXPECT_EQ(result["ratio"]["llm.c"]["median"], 3.0);
  EXPECT_EQ(result["rival"], "llm.c");
  EXPECT_EQ(result["batch"], 4);
  EXPECT_EQ(result["block_size"], 64);

  // A turn takes 3 of its 7 steps or more, so it is stopped and also started again.
  const std::string log = folder_.read("llm c/log");
  EXPECT_NE(log.find("continued"), std::string::npos) << log;
  EXPECT_NE(log.find("started"), log.rfind("started")) << log;
}

TEST_F(CompareStep, OtherSidesTrainAtLlmcsShape) {
  folder_.write("llm c/gpt2_124M.bin", "");
  const auto r = run(with_llmc({"--llmc-shape", "2", "32", "--rounds", "1", "--steps", "1"}));
  ASSERT_EQ(r.code, 0) << r.err;
  const std::string flags = folder_.read("flags");
  EXPECT_NE(flags.find("--batch 2 "), std::string::npos) << flags;
  EXPECT_NE(flags.find("--block-size 32"), std::string::npos) << flags;
}

TEST_F(CompareStep, SaysWhyLlmcEnded) {
  const auto r = run(with_llmc({}));  // no weights in its folder
  EXPECT_EQ(r.code, 1);
  EXPECT_TRUE(r.err.starts_with("compare_step.py: llm.c ended before its first step:\n")) << r.err;
  EXPECT_NE(r.err.find("gpt2_124M.bin"), std::string::npos) << r.err;
}

TEST_F(CompareStep, RefusesWhatLlmcCannotDo) {
  for (const Words& wrong :
       {Words{"--preset", "nano"}, Words{"--dropout", "0.1"}, Words{"--batch", "2"},
        Words{"--llmc-shape", "0", "64"}, Words{"--llmc", "nowhere"}, Words{"--compile"}}) {
    const auto r = run(with_llmc(wrong));
    EXPECT_EQ(r.code, 2) << wrong[0];
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.err.find("error: --"), std::string::npos) << r.err;
  }
}

}  // namespace
