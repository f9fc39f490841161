// Files that are not isodrop's, in the place where a command writes: they stay as they are.
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;

class CliForeignFiles : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }
  /// Refuses with one line that has this in it, and changes nothing.
  void refuses(const Words& args, const std::string& part) const {
    const auto before = folder.snapshot();
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 2) << describe(args, r);
    EXPECT_TRUE(has(only_error(args, r), part)) << describe(args, r);
    EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << describe(args, r);
  }
  void works(const Words& args) const {
    const Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
  }
  const Words kSmall = {"--text",       "text.txt", "--preset",      "tiny",  "--n-embd", "16",
                        "--block-size", "16",       "--eval-tokens", "200",   "--batch",  "4",
                        "--threads",    "1",        "--budget",      "3steps"};
  const TempFolder folder;
};

TEST_F(CliForeignFiles, TrainTakesNoFolderOfSomebodyElse) {
  folder.write("mine/config.toml", "n_layer = 1\n");
  refuses(Words{"train", "--config", "mine/config.toml", "--out", "mine"} + kSmall,
          "--out mine: holds a config.toml that isodrop did not write");
  folder.write("mine/config.json", R"({"model_type": "gpt2"})");
  refuses(Words{"train", "--restart", "--out", "mine"} + kSmall, "holds a config.");
  // Its own run's folder as before, with the settings that the run has written.
  works(Words{"train", "--out", "run"} + kSmall);
  works({"train", "--out", "run", "--config", "run/config.toml"});
  EXPECT_EQ(folder.read("run/previous/config.json"), folder.read("run/config.json"));
}

TEST_F(CliForeignFiles, ExportTakesNoRunAndNoFolderOfSomebodyElse) {
  works(Words{"train", "--out", "run"} + kSmall);
  refuses({"export", "run", "--hf", "run"}, "did not write");
  works({"export", "run", "--hf", "hf"});
  works({"export", "run", "--hf", "hf"});
}

TEST_F(CliForeignFiles, PagesAndScriptsReplaceTheirOwnAlone) {
  works(Words{"train", "--out", "run"} + kSmall);
  for (const char* name : {"report.html", "notes.html"}) {
    folder.write(name, "notes of mine");
    refuses({"report", "run", "--out", name}, "did not make");
    folder.write(name, "");
    for (int twice = 0; twice < 2; ++twice) works({"report", "run", "--out", name});
  }
  folder.write("plan/submit.sh", "#!/bin/bash\necho mine\n");
  const Words plan = Words{"compare", "--seeds", "2", "--engine", "slurm", "--plan"};
  refuses(plan + Words{"plan"} + kSmall, "plan/submit.sh: is a file");
  for (int twice = 0; twice < 2; ++twice) works(plan + Words{"other"} + kSmall);
  folder.write("trace.json", "[1, 2]");
  const Words profile = Words{"profile", "--steps", "1", "--trace"};
  refuses(profile + Words{"trace.json"} + Words{"--preset", "tiny"}, "did not make");
}

TEST_F(CliForeignFiles, WhatIsReadIsNotWritten) {
  refuses({"tokenize", "train", "--text", "text.txt", "--vocab", "300", "--out", "text.txt"},
          "this command reads");
  refuses(
      {"tokenize", "encode", "--text", "text.txt", "--tokenizer", "byte", "--out", "./text.txt"},
      "this command reads");
  refuses(
      {"probe", "--text", "text.txt", "--preset", "tiny", "--dropout", "0.1", "--html", "text.txt"},
      "this command reads");
}

TEST_F(CliForeignFiles, PublishReplacesWhatItPublishedAlone) {
  folder.write("s.toml", R"(title = "t"
question = "q"
[base]
text = "text.txt"
preset = "tiny"
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
  for (const char* name : {"s.md", "s.json", "index.html"}) {
    folder.write(std::string("docs/") + name, "mine");
    refuses({"study", "s.toml", "--publish", "docs"}, std::string("docs/") + name + ": is a file");
    std::filesystem::remove(folder.path() / "docs" / name);
  }
}

}  // namespace
