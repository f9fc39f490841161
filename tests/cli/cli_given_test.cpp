// Files that are given and are missing, damaged or of another form: what the message says.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"
#include "train/storage/safetensors.h"

namespace {

using namespace tests;
namespace fs = std::filesystem;

class CliGiven : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }
  std::string error(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));
  }
  Result works(const Words& args) const {
    Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  const Words kSmall = {"--preset",      "tiny",  "--n-embd", "16", "--block-size", "16",
                        "--eval-tokens", "200",   "--batch",  "4",  "--threads",    "1",
                        "--budget",      "3steps"};
  const Words kTrain = Words{"train", "--text", "text.txt"} + kSmall;
  const TempFolder folder;
};

// What is missing, where it was looked for, and the way out, in one line.
TEST_F(CliGiven, DataThatAreMissing) {
  const std::string check = ": no such file; check the path";
  EXPECT_EQ(error(Words{"train", "--text", "none.txt"} + kSmall),
            "isodrop: error: --text 'none.txt'" + check +
                ", or leave the flag out to use the built-in corpus\n");
  for (const std::string flag : {"--val", "--test"})
    EXPECT_EQ(error(kTrain + Words{flag, "none.txt"}),
              "isodrop: error: " + flag + " 'none.txt'" + check +
                  ", or leave the flag out to hold out the end of the text\n");
  EXPECT_EQ(error(Words{"train", "--text", "none.bin"} + kSmall),
            "isodrop: error: --text 'none.bin'" + check +
                ", or leave the flag out to use the built-in corpus\n");
  EXPECT_EQ(error({"train", "--task", "regression", "--csv", "none.csv", "--target", "a",
                   "--block-size", "1", "--budget", "3steps"}),
            "isodrop: error: --csv 'none.csv'" + check + "\n");
  EXPECT_EQ(error({"tokenize", "encode", "--text", "none.txt", "--tokenizer", "byte"}),
            "isodrop: error: no such file: 'none.txt'; check the path\n");
  EXPECT_TRUE(has(error(Words{"train", "--text", "none*.txt"} + kSmall),
                  "no file matches 'none*.txt'; check the path"));
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

/// The weights of `from` with one number changed, as a tool that knows no checksum writes them.
void spoil(const fs::path& from, const fs::path& to, float x) {
  train::TensorFile file = train::read_safetensors(from);
  train::Tensor& last = std::prev(file.tensors.end())->second;
  std::memcpy(last.bytes.data() + last.bytes.size() - sizeof x, &x, sizeof x);
  file.metadata.erase("format");
  file.metadata.erase("xxh3_128");
  train::write_safetensors(to, file);
}

TEST_F(CliGiven, WeightsWithANumberThatIsNone) {
  works(kTrain + Words{"--out", "run"});
  works({"export", "run", "--hf", "hf"});
  const std::vector<std::pair<float, std::string>> numbers = {
      {std::numeric_limits<float>::quiet_NaN(), " has NaN at element "},
      {-std::numeric_limits<float>::infinity(), " has an infinite number at element "}};
  for (const auto& [x, what] : numbers) {
    for (const char* in : {"run", "hf"}) {
      const fs::path bad = folder.path() / "bad";
      fs::remove_all(bad);
      fs::copy(folder.path() / in, bad);
      spoil(bad / "model.safetensors", bad / "model.safetensors", x);
      std::vector<Words> commands = {kTrain + Words{"--init-from", "bad", "--out", "x"}};
      if (std::string(in) == "run")
        for (const Words& command :
             {Words{"sample", "bad"}, Words{"eval", "bad"}, Words{"export", "bad", "--hf", "x"},
              Words{"probe", "bad", "--reg", "dropout:0.1"}})
          commands.push_back(command);
      for (const Words& command : commands) {
        const std::string said = error(command);
        EXPECT_TRUE(has(said, "bad/model.safetensors: tensor '") && has(said, what)) << said;
        EXPECT_FALSE(has(said, "--lr")) << said;
        EXPECT_FALSE(fs::exists(folder.path() / "x")) << said;
      }
    }
  }
}

TEST_F(CliGiven, WeightsInAFormThatIsNotRead) {
  works(kTrain + Words{"--out", "run"});
  works({"export", "run", "--hf", "hf"});
  const auto from = [&](const std::string& path) {
    return error(kTrain + Words{"--init-from", path, "--out", "x"});
  };
  for (const char* command : {"sample", "eval"})
    EXPECT_TRUE(has(error({command, "hf"}),
                    "'hf': is a model in Hugging Face's files, not a run; 'isodrop train "
                    "--init-from hf'"));
  fs::rename(folder.path() / "hf/model.safetensors",
             folder.path() / "hf/model-00001-of-00002.safetensors");
  folder.write("hf/model.safetensors.index.json", "{}");
  for (const char* name : {"hf", "hf/model.safetensors", "hf/model.safetensors.index.json",
                           "hf/model-00001-of-00002.safetensors"})
    EXPECT_TRUE(has(from(name), "hf: its weights are in several files")) << from(name);
  for (const char* gone :
       {"hf/model-00001-of-00002.safetensors", "hf/model.safetensors.index.json"})
    fs::remove(folder.path() / gone);
  folder.write("hf/pytorch_model.bin", "");
  for (const char* name : {"hf", "hf/model.safetensors", "hf/pytorch_model.bin"})
    EXPECT_TRUE(has(from(name), "hf: its weights are a pytorch_model.bin")) << from(name);
}

// transformers would load the tokenizer of the model that was there before.
TEST_F(CliGiven, ASecondExportLeavesNoTokenizerOfTheFirst) {
  const auto exported = [&](const Words& more) {
    works(kTrain + more + Words{"--out", "run"});
    works({"export", "run", "--hf", "hf"});
    Words names;
    for (const auto& [name, text] : folder.snapshot())
      if (name.starts_with("hf/")) names.push_back(name.substr(3));
    return names;
  };
  const Words json = {"config.json", "model.safetensors", "tokenizer.json",
                      "tokenizer_config.json"},
              model = {"config.json", "model.safetensors", "tokenizer.model"};
  EXPECT_EQ(exported({}), json);
  EXPECT_EQ(exported({"--tokenizer", "sp:280"}), model);
  folder.write("hf/README.md", "mine");
  EXPECT_EQ(exported({"--tokenizer", "byte"}), Words{"README.md"} + json);
  folder.write("other/tokenizer.json", "mine");
  works(kTrain + Words{"--tokenizer", "sp:280", "--out", "run"});
  EXPECT_TRUE(has(error({"export", "run", "--hf", "other"}), "holds a tokenizer.json"));
  EXPECT_EQ(folder.read("other/tokenizer.json"), "mine");
}

// The disk is full when the training is done: its last checkpoint stays, and the way on is said.
TEST_F(CliGiven, ADiskThatIsFullAtTheEnd) {
  const Words plain = kTrain + Words{"--checkpoint-interval", "2steps", "--format", "json"};
  works(plain + Words{"--out", "whole"});
  const auto full = [&](const std::string& kilobytes, const std::string& rest) {
    return Process::program({"/bin/bash", "-c",
                             "ulimit -f " + kilobytes + "; exec '" ISODROP_BINARY "' " + rest},
                            folder.path())
        .wait();
  };
  std::string words;
  for (const std::string& word : plain) words += "'" + word + "' ";
  const Result lost = full("16", words + "--out lost");
  EXPECT_EQ(lost.code, 5) << lost.err;
  EXPECT_TRUE(has(lost.err,
                  "isodrop: the result of step 3 was not written: cannot write "
                  "lost/model.safetensors: "))
      << lost.err;
  EXPECT_TRUE(has(lost.err, "there is no checkpoint")) << lost.err;
  EXPECT_FALSE(fs::exists(folder.path() / "lost/summary.json"));
  // The same where an earlier checkpoint is there.
  fs::copy(folder.path() / "lost", folder.path() / "run");
  for (const auto& entry : fs::directory_iterator(folder.path() / "whole"))
    if (const std::string name = entry.path().filename(); name.starts_with("checkpoint-"))
      fs::copy_file(entry.path(), folder.path() / "run/checkpoint-000003.safetensors");
  const Result kept = full("16", "train --resume run");
  EXPECT_EQ(kept.code, 5) << kept.err;
  EXPECT_TRUE(has(kept.err,
                  "training continues from run/checkpoint-000003.safetensors: "
                  "'isodrop train --resume run'"))
      << kept.err;
  works({"train", "--resume", "run"});
  EXPECT_EQ(folder.read("run/model.safetensors"), folder.read("whole/model.safetensors"));
}

TEST_F(CliGiven, OneIsSingular) {
  const Result r = works({"train", "--text", "text.txt", "--preset", "tiny", "--n-embd", "16",
                          "--block-size", "1", "--batch", "1", "--eval-tokens", "200", "--threads",
                          "1", "--budget", "1steps", "--out", "one"});
  EXPECT_TRUE(has(r.out, "spent            1 step, 1 token, ")) << r.out;
  EXPECT_TRUE(has(error({"compare", "--threads", "1", "--jobs", "2", "--text", "text.txt"}),
                  "and there is 1\n"));
  folder.write("t.csv", "a,b\n1\n");
  EXPECT_TRUE(has(error({"train", "--task", "regression", "--csv", "t.csv", "--target", "b",
                         "--block-size", "1"}),
                  "1 cell where the header names 2 columns"));
}

}  // namespace
