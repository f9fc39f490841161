// Runs made elsewhere, by the real binary: what is wrong is said in one line, and a plan goes
// through a list to a report. tests/engines has the engines themselves.
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

using Json = nlohmann::json;

class CliEngines : public testing::Test {
 protected:
  CliEngines() { folder.write("two.toml", kStudy); }
  Result run(const Words& args) const { return isodrop(args, folder.path()); }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  bool says(const Words& args, const std::string& part) const {
    return error(args).find(part) != std::string::npos;
  }

  const TempFolder folder;
  static constexpr const char* kStudy = R"(
title = "Two arms"
question = "Which?"
[base]
preset = "tiny"
n_embd = 16
block_size = 16
batch = 4
budget = "6steps"
threads = 1
[study]
arms = ["none", "dropout=0.1"]
seeds = 2
[[figures]]
name = "difference"
of = "difference"
arm = "dropout=0.1"
[rule]
supported = ["difference above 0"]
contradicted = ["difference below 0"]
)";
};

TEST_F(CliEngines, WhatIsWrongIsSaid) {
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--engine", "pbs"},
                   "--engine 'pbs' is unknown; choose from slurm, parallel, mpi"));
  EXPECT_TRUE(says({"study", "two.toml", "--engine", "slurm"}, "does nothing without --plan"));
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--submit"}, "without --engine"));
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--engine", "mpi", "--submit"},
                   "only slurm has it"));
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--collect"}, "leave one of them out"));
  EXPECT_TRUE(says({"study", "two.toml", "--collect", "--dry-run"}, "give one of them"));
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--dry-run"}, "give one of them"));
  EXPECT_TRUE(says({"study", "two.toml", "--plan", "p", "--jobs", "2"}, "leave one of them out"));
  EXPECT_TRUE(says({"study", "two.toml", "--collect", "gone"},
                   "gone: neither a study file nor a folder of runs"));
  EXPECT_TRUE(says({"study", "--collect", "gone"}, "gone: neither"));
  EXPECT_TRUE(says({"study", "--collect", "."}, "study which claim?"));
  EXPECT_TRUE(says({"run", "--list", "gone"}, "no such file: 'gone'"));
  EXPECT_TRUE(says({"run", "--part", "1/2"}, "does nothing without --list"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "p")) << "nothing is half written";
}

TEST_F(CliEngines, APlanThatAListMakesIsCollected) {
  const Words collect = {"study", "two.toml", "--collect", "--format", "json"};
  const Result before = run(collect);
  EXPECT_EQ(before.code, 1) << "nothing is there yet";
  EXPECT_EQ(Json::parse(before.out)["missing"].size(), 4U);
  Result r = run({"study", "two.toml", "--plan", "p", "--engine", "parallel"});
  EXPECT_EQ(r.code, 0) << r.err;
  const auto flags = [&](const Words& more) {
    const Words plan = Words{"study", "two.toml", "--plan", "q", "--engine", "mpi"} + more;
    EXPECT_EQ(run(plan).code, 0);
    return folder.read("q/mpi.sh");
  };
  EXPECT_EQ(flags({}).find("--other-builds"), std::string::npos);
  EXPECT_NE(flags({"--other-builds"}).find(" --threads \"$threads\" --other-builds"),
            std::string::npos)
      << "what the plan takes, the script takes, too";
  std::string list;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "p"))
    if (const std::string name = entry.path().filename(); name.starts_with("specs-"))
      list = "p/" + name;
  ASSERT_FALSE(list.empty());
  EXPECT_TRUE(says({"run", "--list", list, "--part", "2/2"}, "0 <= I < N"));
  EXPECT_TRUE(says({"run", "--list", list, "--part", "one"}, "--part"));
  for (const char* part : {"0/2", "1/2"}) {
    r = run({"run", "--list", list, "--part", part});
    EXPECT_EQ(r.code, 0) << r.err;
    const Result between = run(collect);
    EXPECT_EQ(between.code, std::string(part) == "0/2" ? 1 : 0) << between.err;
  }
  EXPECT_EQ(json_of(collect, run(collect))["studies"][0]["runs"], 4);
  // A store that was copied here, once and again.
  std::filesystem::rename(folder.path() / "runs", folder.path() / "copied");
  r = run({"study", "two.toml", "--collect", "copied"});
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(r.err.find("copied: 4 runs taken, 0 were here already"), std::string::npos) << r.err;
  r = run({"study", "two.toml", "--collect", "copied"});
  EXPECT_NE(r.err.find("copied: 0 runs taken, 4 were here already"), std::string::npos) << r.err;
  EXPECT_TRUE(says({"study", "two.toml", "--collect", "runs"}, "is this store itself"));
}

TEST_F(CliEngines, NoDeviceIsReplacedByAFile) {
  EXPECT_TRUE(says({"compare", "--html", "/dev/full"}, "is a device, pipe or socket"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace tests
