// A step has the same bits for any number of threads: every preset, every instruction set that
// oneDNN has for this machine, and every way to a product.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

struct Case {
  const char* name;
  Words flags;
};

/// The presets with fewer layers, rows and steps: their layers have the shapes of all.
std::vector<Case> presets() {
  return {
      {"tiny", {"--preset", "tiny", "--lr", "1e-3", "--budget", "4steps"}},
      {"nano", {"--preset", "nano", "--budget", "4steps"}},
      {"char", {"--preset", "char", "--n-layer", "2", "--batch", "2", "--budget", "1steps"}},
      {"gpt2", {"--preset", "gpt2", "--n-layer", "1", "--block-size", "64", "--budget", "1steps"}}};
}

class Bits : public testing::TestWithParam<const char*> {};

/// The weights after a few steps: forward and backward of every op are in them.
std::string weights(const Case& c, const char* threads, const Words& environment) {
  const TempFolder folder;
  const Words args = Words{"train", "--dropout",       "0.1",  "--out",    "run", "--threads",
                           threads, "--eval-interval", "1000", "--format", "json"} +
                     c.flags;
  const Result result = isodrop(args, folder.path(), environment);
  EXPECT_EQ(result.code, 0) << describe(args, result);
  // Behind the header, which holds the run's id, and that holds the number of threads.
  const std::string file = folder.read("run/model.safetensors");
  std::uint64_t header = 0;
  if (file.size() > sizeof header) std::memcpy(&header, file.data(), sizeof header);
  return header < file.size() ? file.substr(sizeof header + header) : "";
}

TEST_P(Bits, AreTheSameForAnyNumberOfThreadsAndWay) {
  const std::string isa = std::string("ONEDNN_MAX_CPU_ISA=") + GetParam();
  for (const Case& c : presets()) {
    const std::string want = weights(c, "1", {isa, "ISODROP_TUNING=off"});
    ASSERT_FALSE(want.empty()) << c.name;
    for (const char* threads : {"2", "3", "16"})
      EXPECT_TRUE(weights(c, threads, {isa, "ISODROP_TUNING=off"}) == want)
          << c.name << " on " << threads << " threads, by the partition";
    const TempFolder cache;  // measured in the first run, recalled in the second
    const Words measured = {isa, "ISODROP_TUNING=on", "XDG_CACHE_HOME=" + cache.path().string()};
    for (const char* threads : {"2", "16"})  // on 16 there are more ways
      for (const char* run : {"measured", "recalled"})
        EXPECT_TRUE(weights(c, threads, measured) == want)
            << c.name << " on " << threads << " threads, ways " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Bits, testing::Values("AVX2", "ALL"),
                         [](const auto& isa) { return std::string(isa.param); });

}  // namespace
}  // namespace tests
