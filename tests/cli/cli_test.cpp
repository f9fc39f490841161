// What the commands write and print, by running the real binary.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"
#include "train/storage/safetensors.h"

namespace tests {
namespace {

using Json = nlohmann::json;

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("text.txt", small_text(6000));
    folder.write("val.txt", small_text(900, 2));
  }

  /// Runs and expects it to succeed.
  Result run(const Words& args, const Words& environment = {}) const {
    Result r = isodrop(args, folder.path(), environment);
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  Json json(const Words& args) const { return json_of(args, run(args + kJson)); }
  Json json_file(const std::string& name) const {
    const Json j = Json::parse(folder.read(name), nullptr, false);
    EXPECT_FALSE(j.is_discarded()) << name;
    return j;
  }

  const TempFolder folder;
  const Words kJson = {"--format", "json"};
  const Words kSmall = {"--text",   "text.txt", "--n-layer", "1", "--n-head",     "2",
                        "--n-embd", "16",       "--batch",   "4", "--block-size", "16"};
  const Words kTrain = Words{"train", "--budget", "20steps", "--out", "out"} + kSmall;
  const Words kCompare = Words{"compare", "--budget", "8steps", "--out", "cmp"} + kSmall;
};

TEST_F(Cli, HelpAndVersion) {
  EXPECT_TRUE(run({"--version"}).out.starts_with("isodrop 0."));
  EXPECT_EQ(run({"--help"}).out, run({}).out);
  for (const char* command : {"train", "compare"}) {
    EXPECT_NE(run({"--help"}).out.find(command), std::string::npos);
    const std::string help = run({command, "--help-all"}).out;
    for (const char* flag : {"--preset", "--text", "--val ", "--tokenizer", "--budget", "--seeds",
                             "--batch", "--lr", "--min-lr", "--dropout", "--weight-decay",
                             "--n-layer", "--n-head", "--n-embd", "--threads", "--out", "--format"})
      EXPECT_NE(help.find(flag), std::string::npos) << command << " " << flag;
    EXPECT_EQ(help.find('\x1b'), std::string::npos) << "colour, and this is no terminal";
  }
  EXPECT_EQ(run({"help", "train"}).out, run({"train", "-h"}).out);
  EXPECT_NE(run({"compare", "--help"}).out.find("--epochs"), std::string::npos);
  EXPECT_NE(run({"compare", "--help"}).out.find("--arm"), std::string::npos);
}

TEST_F(Cli, TrainWritesItsFiles) {
  const Result r = run(kTrain + Words{"--eval-interval", "10", "--bias=true"});
  EXPECT_NE(r.out.find("validation loss"), std::string::npos) << r.out;
  EXPECT_NE(r.err.find("step 20/20"), std::string::npos) << r.err;
  EXPECT_EQ(json_file("out/config.json")["n_embd"], 16);
  expect_keys(json_file("out/environment.json"), {"cpu", "isa", "threads", "isodrop", "onednn"});
  const Json summary = json_file("out/summary.json");
  EXPECT_EQ(summary["steps"], 20);

  std::istringstream lines(folder.read("out/metrics.jsonl"));
  std::vector<Json> metrics;
  for (std::string line; std::getline(lines, line);) metrics.push_back(Json::parse(line));
  ASSERT_GE(metrics.size(), 2U);
  for (const Json& m : metrics)
    expect_keys(m, {"step", "tokens", "flops", "seconds", "train_loss", "val_loss", "val_bpb", "lr",
                    "grad_norm"});
  const Json& last = metrics.back();
  EXPECT_EQ(last["step"], 20);
  EXPECT_EQ(last["tokens"], 20 * 4 * 16);
  EXPECT_EQ(last["val_loss"], summary["val_loss"]);
  EXPECT_NEAR(last["val_bpb"].get<double>(), last["val_loss"].get<double>() / std::log(2), 1e-9);
  EXPECT_GT(last["grad_norm"].get<double>(), 0);

  const auto weights = train::read_safetensors(folder.path() / "out" / "model.safetensors");
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors) names.push_back(name);
  const std::vector<std::string> expected = {"h.0.attn.c_attn.bias",
                                             "h.0.attn.c_attn.weight",
                                             "h.0.attn.c_proj.bias",
                                             "h.0.attn.c_proj.weight",
                                             "h.0.ln_1.bias",
                                             "h.0.ln_1.weight",
                                             "h.0.ln_2.bias",
                                             "h.0.ln_2.weight",
                                             "h.0.mlp.c_fc.bias",
                                             "h.0.mlp.c_fc.weight",
                                             "h.0.mlp.c_proj.bias",
                                             "h.0.mlp.c_proj.weight",
                                             "ln_f.bias",
                                             "ln_f.weight",
                                             "wpe.weight",
                                             "wte.weight"};
  EXPECT_EQ(names, expected);
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(weights.at("h.0.attn.c_attn.weight").shape, (Shape{16, 48}));
  EXPECT_EQ(weights.at("wte.weight").shape, (Shape{15, 16}));
}

TEST_F(Cli, TrainPrintsAJsonSummary) {
  const Json j = json(kTrain + Words{"--dropout", "0.1"});
  expect_keys(j, {"val_loss", "train_loss", "steps", "tokens", "flops", "seconds", "gflops"});
  EXPECT_GT(j["val_loss"].get<double>(), 1);
  EXPECT_LT(j["val_loss"].get<double>(), 3.5);
  EXPECT_EQ(j["steps"], 20);
  EXPECT_EQ(j["tokens"], 1280);
  EXPECT_NEAR(j["gflops"].get<double>(),
              j["flops"].get<double>() / j["seconds"].get<double>() / 1e9, 1e-9);
  EXPECT_EQ(j, json_file("out/summary.json"));
}

TEST_F(Cli, SettingsOfTheCommandLineReachTheRun) {
  const Json plain = json(kTrain), again = json(kTrain);
  EXPECT_EQ(plain["val_loss"], again["val_loss"]) << "from run to run";
  EXPECT_EQ(json(kTrain + Words{"--threads", "1"})["val_loss"], plain["val_loss"]);
  for (const Words& change : {Words{"--lr", "1e-2"},
                              {"--min-lr", "1e-3"},
                              {"--dropout", "0.5"},
                              {"--weight-decay", "9"},
                              {"--seed", "2"},
                              {"--tokenizer", "byte", "--val", "val.txt"},
                              {"--beta1", "0.5"},
                              {"--beta2", "0.5"},
                              {"--grad-clip", "0.1"},
                              {"--warmup", "0.5"},
                              {"--bias=true"}})
    EXPECT_NE(json(kTrain + change)["val_loss"], plain["val_loss"]) << change[0];
}

TEST_F(Cli, TheBuiltInCorpusHasAKnownBayesLoss) {
  const Json j = json({"train", "--preset", "tiny", "--budget", "1steps", "--eval-tokens", "100"});
  EXPECT_GT(j["bayes_loss"].get<double>(), 0.3);
  EXPECT_GE(j["bayes_loss_window"].get<double>(), j["bayes_loss"].get<double>());
  EXPECT_GT(j["val_loss"].get<double>(), j["bayes_loss"].get<double>());
}

TEST_F(Cli, DivergenceEndsTrainWithThree) {
  const Words args = kTrain + Words{"--lr", "1e30", "--warmup", "0"};
  const Result r = isodrop(args + kJson, folder.path());
  EXPECT_EQ(r.code, 3) << describe(args, r);
  EXPECT_NE(r.err.find("diverged"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("step "), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("learning rate 9"), std::string::npos) << r.err;  // 9.9e29
  const Json j = json_of(args, r);
  EXPECT_EQ(j["status"], "diverged");
  EXPECT_TRUE(j["val_loss"].is_null());
  EXPECT_FALSE(has_nan(j));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out" / "model.safetensors"));
}

TEST_F(Cli, ALossFarAboveAUniformGuessIsNotOk) {
  const Words args = Words{"train", "--budget", "1steps", "--out",    "out", "--lr",
                           "1e4",   "--min-lr", "1e4",    "--warmup", "0"} +
                     kSmall;
  const Result r = isodrop(args, folder.path());
  EXPECT_EQ(r.code, 3) << describe(args, r);
  EXPECT_NE(r.err.find("on the training data, far above a uniform guess, at step 1"), r.err.npos)
      << r.err;
  EXPECT_EQ(json_file("out/summary.json")["status"], "diverged");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out" / "model.safetensors"));
  // One that has learned nothing says so; at a learning rate of 0 chance decides.
  int untrained = 0;
  for (const char* seed : {"1", "2", "3", "4", "5", "6"}) {
    const Result still =
        run(Words{"train", "--budget", "2steps", "--out", "still", "--lr", "0", "--seed", seed} +
            kSmall);
    const bool said = still.out.find("status           untrained") != still.out.npos;
    EXPECT_EQ(json_file("still/summary.json")["status"], said ? "untrained" : "ok");
    untrained += said;
  }
  EXPECT_GT(untrained, 0);
}

TEST_F(Cli, ColourIsForTerminalsOnlyAndNoColorStopsIt) {
  if (isodrop({"--version"}, folder.path()).code != 0 ||
      Process::program({"script", "--version"}, folder.path()).wait().code != 0)
    GTEST_SKIP() << "script(1), which makes a terminal, is not installed";
  const auto on_terminal = [&](const std::string& before) {
    const std::string command = before + " TERM=xterm '" ISODROP_BINARY "' list norms";
    return Process::program({"script", "-qec", command, "/dev/null"}, folder.path()).wait().out;
  };
  EXPECT_NE(on_terminal("env -u NO_COLOR").find("\x1b[1m"), std::string::npos);
  EXPECT_EQ(on_terminal("env NO_COLOR=1").find("\x1b[1m"), std::string::npos);
}

TEST_F(Cli, AFullDiskIsAnErrorAndTheOldWeightsStay) {
  run(kTrain);
  const std::string old = folder.read("out/model.safetensors");
  ASSERT_GT(old.size(), 10000U);
  // Writing fails beyond 8 blocks of 512 bytes, as it does on a full disk.
  std::string command = "ulimit -f 8; exec '" ISODROP_BINARY "'";
  for (const std::string& arg : kTrain + Words{"--seed", "2", "--eval-interval", "20"})
    command += " '" + arg + "'";
  const Result r = Process::program({"sh", "-c", command}, folder.path()).wait();
  EXPECT_EQ(r.code, 5) << describe(kTrain, r);
  const auto error = r.err.find(
      "isodrop: the result of step 20 was not written: cannot write out/model.safetensors");
  EXPECT_NE(error, std::string::npos) << r.err;
  EXPECT_NE(r.err.find("no checkpoint was saved, the run continues: cannot write out/checkpoint-"),
            std::string::npos)
      << r.err;
  EXPECT_EQ(folder.read("out/previous/model.safetensors"), old);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "out"))
    EXPECT_NE(entry.path().extension(), ".tmp");
}

TEST_F(Cli, OutputThatNobodyReadsEndsNoRun) {
  std::string command = "'" ISODROP_BINARY "'";
  for (const std::string& arg : kTrain) command += " '" + arg + "'";
  const auto shell = [&](const std::string& line) {
    std::filesystem::remove_all(folder.path() / "out");
    const Result r = Process::program({"sh", "-c", line}, folder.path()).wait();
    EXPECT_EQ(folder.read("code"), "0\n") << line << '\n' << r.err;
    EXPECT_EQ(json_file("out/summary.json")["steps"], 20) << line;
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "out/model.safetensors")) << line;
  };
  shell("{ " + command + " --eval-interval 1 2>&1; echo $? > code; } | head -1");
  shell("{ " + command + " --eval-interval 1 2>&1; echo $? > code; } | true");
  shell(command + " 2> /dev/full; echo $? > code");
  shell(command + " <&- >&- 2>&-; echo $? > code");
  EXPECT_EQ(folder.read("out/lock"), "") << "what it says went into a file of the run";
  std::istringstream lines(folder.read("out/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(Json::accept(line)) << line;
  // What only prints ends without a word, too.
  const Result r =
      Process::program(
          {"sh", "-c", "{ '" ISODROP_BINARY "' list settings; echo $? > code; } | true"},
          folder.path())
          .wait();
  EXPECT_EQ(r.err, "");
  EXPECT_EQ(folder.read("code"), "0\n");
}

TEST_F(Cli, ADiskThatIsFullForAWhileEndsNoRun) {
  // The limit is lifted when the run has been told of it.
  std::string command = "ulimit -S -f 4; exec '" ISODROP_BINARY "'";
  Words args = {"train",      "--budget",
                "30000steps", "--out",
                "out",        "--eval-interval",
                "100",        "--eval-tokens",
                "50",         "--checkpoint-interval",
                "off"};
  for (const std::string& arg : args + kSmall) command += " '" + arg + "'";
  Process process = Process::program({"sh", "-c", command}, folder.path());
  const auto metrics = folder.path() / "out" / "metrics.jsonl";
  const auto size = [&] {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(metrics, none);
    return none ? 0 : bytes;
  };
  while (process.running() && size() < 2048) usleep(1000);
  usleep(100'000);
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(prlimit(process.pid(), RLIMIT_FSIZE, &unlimited, nullptr), 0);
  while (process.running() && size() <= 2048) usleep(1000);
  process.kill(SIGTERM);
  const Result r = process.wait();
  EXPECT_EQ(r.code, 143) << r.err;
  std::istringstream lines(folder.read("out/metrics.jsonl"));
  std::int64_t last = 0;
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(Json::accept(line)) << line;
    const Json json = Json::parse(line);
    if (json["val_loss"].is_null()) continue;
    EXPECT_EQ(json["step"], last + 100) << "none is missing";
    last = json["step"];
  }
  const std::string said = "cannot write out/metrics.jsonl: File too large; the run continues";
  EXPECT_NE(r.err.find(said), r.err.npos) << r.err;
  EXPECT_EQ(r.err.find(said), r.err.rfind(said)) << "it is said once";
  EXPECT_NE(r.err.find("out/metrics.jsonl: complete again"), r.err.npos) << r.err;
}

TEST_F(Cli, ADiskThatFillsUpIsNamed) {
  const auto on_small_disk = [&](const std::string& command) {
    return Process::program({"unshare", "-rm", "sh", "-c",
                             "mkdir disk && mount -t tmpfs -o size=24k none disk && " + command},
                            folder.path())
        .wait();
  };
  if (on_small_disk("true").code != 0) GTEST_SKIP() << "a disk of its own cannot be mounted here";
  std::filesystem::remove(folder.path() / "disk");
  for (Words args : {kTrain, kCompare}) {
    *std::find(args.begin(), args.end(), args[0] == "train" ? "out" : "cmp") = "disk/out";
    std::string command = "'" ISODROP_BINARY "'";
    for (const std::string& arg : args) command += " " + arg;
    const Result r = on_small_disk(command);
    EXPECT_EQ(r.code, args[0] == "train" ? 5 : 2) << r.err;
    EXPECT_NE(r.err.find(": cannot write disk/out/"), std::string::npos) << r.err;
    EXPECT_NE(r.err.find("No space left on device; free some space"), std::string::npos) << r.err;
    std::filesystem::remove(folder.path() / "disk");
  }
}

TEST_F(Cli, StandardOutputThatIsFullIsAnError) {
  for (const char* format : {"text", "json"}) {
    std::string command = "exec '" ISODROP_BINARY "'";
    for (const std::string& arg : kCompare + Words{"--seeds", "2", "--format", format})
      command += " '" + arg + "'";
    const Result r = Process::program({"sh", "-c", command + " > /dev/full"}, folder.path()).wait();
    EXPECT_EQ(r.code, 2) << format << r.err;
    EXPECT_NE(r.err.find("isodrop: error: "), std::string::npos) << r.err;
  }
}

}  // namespace
}  // namespace tests
