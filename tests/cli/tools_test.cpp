// doctor, runs, report, and the logs of train, by running the real binary.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;

class Tools : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(6000)); }
  Result run(const Words& args) const {
    Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  Words files(const std::string& in) const {
    Words out;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / in))
      out.push_back(entry.path().filename());
    return out;
  }
  long events(const std::string& in) const {
    const Words all = files(in);
    return std::count_if(all.begin(), all.end(), [](const std::string& name) {
      return name.starts_with("events.out.tfevents.");
    });
  }
  /// The bytes of the one there is.
  std::string event_file(const std::string& in) const {
    for (const std::string& name : files(in))
      if (name.starts_with("events.out.tfevents.")) return folder.read(in + "/" + name);
    return "";
  }
  const TempFolder folder;
  const Words kModel = {"--text",   "text.txt", "--n-layer", "1", "--n-head",     "2",
                        "--n-embd", "16",       "--batch",   "4", "--block-size", "16",
                        "--budget", "8steps"};
  const Words kTrain = Words{"train", "--out", "out"} + kModel;
};

TEST_F(Tools, DoctorLooksAtThisMachine) {
  const Words args = {"doctor", "--format", "json"};
  const Json json = json_of(args, run(args));
  EXPECT_EQ(json["schema"], "isodrop-doctor-1");
  std::map<std::string, Json> checks;
  for (const Json& check : json["checks"]) {
    expect_keys(check, {"name", "text", "values", "advice"});
    checks[check["name"]] = check;
  }
  for (const char* name : {"cpu", "threads", "memory", "huge pages", "oneDNN", "peak", "neighbours",
                           "NUMA nodes", "power", "disk", "versions"})
    EXPECT_TRUE(checks.contains(name)) << name;
  EXPECT_GT(checks["peak"]["values"]["gflops"], 0);
  const std::string text = run({"doctor"}).out;
  EXPECT_TRUE(has(text, "\nversions    isodrop 0.")) << text;
  EXPECT_TRUE(has(error({"doctor", "--threads", "0"}), "--threads '0': give a whole number"));
}

TEST_F(Tools, LogsAreChosen) {
  run(kTrain + Words{"--log", "jsonl,tensorboard", "--norms-interval", "2"});
  EXPECT_EQ(events("out"), 1);
  const std::string weights = folder.read("out/model.safetensors");
  EXPECT_TRUE(has(event_file("out"), "sample"));
  run(kTrain + Words{"--log", "tensorboard", "--sample-tokens", "0"});
  EXPECT_FALSE(has(event_file("out"), "sample"));
  EXPECT_EQ(events("out"), 1) << "that of the run before is where the run is";
  EXPECT_EQ(events("out/previous"), 1);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out/metrics.jsonl"));
  EXPECT_EQ(folder.read("out/model.safetensors"), weights) << "who looks changes nothing";
  run(kTrain);
  EXPECT_EQ(events("out"), 0);
  EXPECT_EQ(events("out/previous"), 1);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "out/metrics.jsonl"));
  EXPECT_TRUE(has(error(kTrain + Words{"--log", "tensorbord"}), "did you mean 'tensorboard'?"));
  EXPECT_TRUE(has(error(kTrain + Words{"--norms-interval", "5"}), "--log jsonl,tensorboard"));
  EXPECT_TRUE(has(error(kTrain + Words{"--sample-tokens", "5"}), "--log jsonl,tensorboard"));
  EXPECT_TRUE(has(error(kTrain + Words{"--log", "tensorboard", "--sample-tokens", "x"}),
                  "--sample-tokens 'x': give a whole number"));
  EXPECT_TRUE(has(error(kTrain + Words{"--log", "tensorboard", "--norms-interval", "-5"}),
                  "--norms-interval '-5': give a whole number"));
}

TEST_F(Tools, RunsAreListedComparedReportedAndRemoved) {
  EXPECT_TRUE(has(error({"runs"}), "runs: no store is there"));
  run(Words{"compare", "--arm", "none", "--arm", "dropout=0.1", "--seeds", "2", "--jobs", "1"} +
      kModel);
  const Words list = {"runs", "--format", "json"};
  const Json runs = json_of(list, run(list))["runs"];
  ASSERT_EQ(runs.size(), 4U);
  std::string with, without;
  for (const Json& r : runs) {
    EXPECT_EQ(r["state"], "done");
    EXPECT_EQ(r["step"], 8);
    if (r["seed"] == 1) (r["regime"].contains("dropout") ? with : without) = r["id"];
  }
  EXPECT_TRUE(has(run({"runs", "ls"}).out, "dropout=0.1")) << run({"runs"}).out;
  EXPECT_TRUE(has(run({"runs", "show", with}).out, "val_loss"));
  const std::string diff = run({"runs", "diff", with, without}).out;
  EXPECT_TRUE(has(diff, "dropout") && has(diff, "test_loss") && !has(diff, "n_layer")) << diff;
  EXPECT_TRUE(has(run({"report", with, without, "--out", "r.html"}).out, "r.html"));
  const std::string page = folder.read("r.html");
  EXPECT_TRUE(has(page, "<html") && has(page, with.substr(0, 12)) && has(page, "dropout=0.1"));
  EXPECT_TRUE(has(error({"report", "--out", "r.html"}), "report which runs?"));
  EXPECT_TRUE(has(error({"report", with, with}), "is given twice"));
  EXPECT_EQ(folder.read("r.html"), page);

  const auto before = folder.snapshot();
  EXPECT_TRUE(has(error({"runs", "rm"}), "and 0 are given"));
  EXPECT_TRUE(has(error({"runs", "rm", with, "zzz"}), "run 'zzz': not in"));
  EXPECT_TRUE(has(error({"runs", "shwo", with}), "did you mean 'show'?"));
  EXPECT_TRUE(has(error({"runs", "ls", "--planned"}), "does nothing with ls"));
  EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << "nothing before all are known";
  run({"runs", "rm", with});
  EXPECT_EQ(json_of(list, run(list))["runs"].size(), 3U);
  EXPECT_EQ(run({"runs", "gc"}).out, "nothing to remove\n");
}

TEST(Installed, TakesItsStudiesFromBesideItself) {
  const TempFolder folder;
  std::filesystem::create_directories(folder.path() / "bin");
  std::filesystem::create_directories(folder.path() / "share/isodrop/studies");
  std::filesystem::copy_file(ISODROP_BINARY, folder.path() / "bin/isodrop");
  std::filesystem::copy_file(ISODROP_SOURCE_DIR "/studies/06-spread.toml",
                             folder.path() / "share/isodrop/studies/90-mine.toml");
  const auto run = [&](Words args) {
    args.insert(args.begin(), (folder.path() / "bin/isodrop").string());
    return Process::program(args, folder.path()).wait();
  };
  const Result list = run({"list", "studies", "--format", "json"});
  EXPECT_EQ(list.code, 0) << list.err;
  const Json studies = Json::parse(list.out);
  ASSERT_EQ(studies.size(), 1U);
  EXPECT_EQ(studies[0]["name"], "90-mine.toml");
  // By its name, with or without the ending.
  for (const char* name : {"90-mine", "90-mine.toml"}) {
    const Result r = run({"study", name, "--quick", "--dry-run", "--jobs", "1"});
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_TRUE(has(r.out, "90-mine.toml: ")) << r.out;
  }
  EXPECT_TRUE(has(run({"study", "91-none"}).err, "91-none: cannot be read"));
}

}  // namespace
}  // namespace tests
