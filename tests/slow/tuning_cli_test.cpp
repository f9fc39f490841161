// --product-tuning: whether ways to a product are timed and remembered, by this process and those
// it starts.
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

const Words kSmall = {"--preset", "tiny", "--n-embd", "64", "--batch", "16"};

/// Whether the command, with the environment's word, kept anything.
bool remembers(const Words& args, const TempFolder& folder, const std::string& word) {
  const TempFolder cache;
  const Result result = isodrop(
      args, folder.path(), {"ISODROP_TUNING=" + word, "XDG_CACHE_HOME=" + cache.path().string()});
  EXPECT_EQ(result.code, 0) << describe(args, result);
  return !cache.snapshot().empty();
}

TEST(Tuning, TheFlagGoesBeforeTheEnvironmentInEveryCommand) {
  const TempFolder folder;
  const auto commands = [&](const std::string& out) -> std::vector<Words> {
    const Words few = {"--budget", "2steps", "--out", out};
    return {Words{"profile", "--steps", "1"} + kSmall, Words{"train"} + kSmall + few,
            Words{"compare", "--seeds", "1", "--epochs", "1", "--jobs", "1", "--store", out} +
                kSmall + Words{"--budget", "2steps", "--out", out + "-compared"}};
  };
  for (const Words& command : commands("off"))
    EXPECT_FALSE(remembers(command + Words{"--product-tuning", "off"}, folder, "on")) << command[0];
  for (const Words& command : commands("on"))
    EXPECT_TRUE(remembers(command + Words{"--product-tuning", "on"}, folder, "off")) << command[0];
}

TEST(Tuning, OfASingleRun) {
  const TempFolder folder;
  const Words plan =
      Words{"compare", "--seeds", "1", "--epochs", "1", "--plan", "specs", "--budget", "2steps"} +
      kSmall;
  ASSERT_EQ(isodrop(plan, folder.path()).code, 0);
  const std::string spec = folder.snapshot().rbegin()->first;
  EXPECT_FALSE(remembers({"run", spec, "--store", "off", "--product-tuning", "off"}, folder, "on"));
  EXPECT_TRUE(remembers({"run", spec, "--store", "on", "--product-tuning", "on"}, folder, "off"));
  EXPECT_NE(
      only_error({"run", spec}, isodrop({"run", spec, "--product-tuning", "maybe"}, folder.path()))
          .find("--product-tuning 'maybe'"),
      std::string::npos);
}

}  // namespace
}  // namespace tests
