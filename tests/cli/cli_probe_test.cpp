// `isodrop probe` as a user meets it.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

const Words kProbed = {"--preset", "tiny", "--n-embd", "16", "--block-size", "32", "--batch", "4"};
const Words kQuick = {"--masks", "3", "--tokens", "200", "--format", "json"};

/// A folder with a text and a run, "my run", trained on it without regularizers.
class ProbeCli : public testing::Test {
 protected:
  void train(const Words& more = {}) {
    folder.write("text.txt", small_text(4000));
    const Words args =
        Words{"train", "--text", "text.txt", "--budget", "20steps", "--out", "my run"} + kProbed +
        more;
    const Result result = isodrop(args, folder.path());
    ASSERT_EQ(result.code, 0) << describe(args, result);
  }
  nlohmann::json probe(const Words& more) {
    const Words args = Words{"probe"} + more + kQuick;
    return json_of(args, isodrop(args, folder.path()));
  }
  TempFolder folder;
};

TEST_F(ProbeCli, TrainedWeightsWithTheRunsOwnSettings) {
  train({"--dropout", "0.2"});
  const auto before = folder.snapshot();
  const nlohmann::json json = probe({"my run"});
  EXPECT_EQ(changes(before, folder.snapshot()), Words{});
  EXPECT_FALSE(has_nan(json));
  EXPECT_EQ(json["schema"], "isodrop-probe-1");
  EXPECT_EQ(json["model"], "my run");
  EXPECT_EQ(json["regularizers"], "dropout=0.2");
  EXPECT_EQ(json["progress"], 1);
  EXPECT_EQ(json["masks"], 3);
  EXPECT_EQ(json["batches"], 2);  // of 4 windows of 32
  ASSERT_EQ(json["points"].size(), 2 * (1 + 2 * 4 + 1));
  const auto& emb = json["points"][0];
  EXPECT_EQ(emb["site"], "emb");
  EXPECT_TRUE(emb["value"].is_null());
  EXPECT_TRUE(emb["layer"].is_null());
  EXPECT_EQ(emb["acting"], "dropout:0.2");
  EXPECT_EQ(emb["values"], 2 * 4 * 32 * 16);
  for (const char* name : {"mean", "variance", "skewness", "kurtosis"}) {
    EXPECT_TRUE(emb["evaluation"][name].is_number()) << name;
    EXPECT_GT(emb["training"][name]["se"].get<double>(), 0) << name;
  }
  EXPECT_NEAR(emb["variance_ratio"]["value"].get<double>(), 1.25, 0.05);
  // Other weights than those of the start.
  const nlohmann::json fresh = probe(Words{"--text", "text.txt", "--dropout", "0.2"} + kProbed);
  EXPECT_EQ(fresh["model"], "tiny, initial weights");
  EXPECT_EQ(fresh["progress"], 0);
  EXPECT_NE(fresh["points"][0]["evaluation"], emb["evaluation"]);
}

TEST_F(ProbeCli, FlagsOverrideTheRunsSettings) {
  train();
  const nlohmann::json json = probe({"my run", "--reg", "alpha_dropout:0.1@mlp_hidden"});
  EXPECT_EQ(json["regularizers"], "reg=alpha_dropout:0.1");  // its own hook
  for (const auto& p : json["points"])
    EXPECT_EQ(p["acting"].get<std::string>().empty(),
              !(p["value"].is_null() && p["site"].get<std::string>().ends_with("mlp_hidden")));
}

TEST_F(ProbeCli, SameBitsForAnyThreads) {
  train();
  const Words args = {"my run", "--dropout", "0.3"};
  EXPECT_EQ(probe(args + Words{"--threads", "1"}), probe(args + Words{"--threads", "2"}));
}

TEST_F(ProbeCli, EveryFormat) {
  for (const std::string format : {"text", "md", "csv"}) {
    const Words args =
        Words{"probe", "--dropout", "0.1", "--masks", "2", "--tokens", "1", "--format", format} +
        kProbed;
    const Result result = isodrop(args, folder.path());
    ASSERT_EQ(result.code, 0) << describe(args, result);
    for (const char* site :
         {"emb", "h.1.attn_weights", "h.0.mlp_hidden", "h.1.attn.c_attn", "head"})
      EXPECT_NE(result.out.find(site), std::string::npos) << format << ' ' << site;
    if (format != "csv") continue;
    std::istringstream lines(result.out);
    std::size_t commas = 0, count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const auto n = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
      if (count == 0) commas = n;
      EXPECT_EQ(n, commas) << line;
    }
    EXPECT_EQ(count, 1U + 20U);
  }
  EXPECT_TRUE(folder.snapshot().empty());
}

TEST_F(ProbeCli, SaysWhenARateIsZeroForTheMoment) {
  const Words args = Words{"probe", "--reg", "dropout:0.1~late:0.5"} + kProbed + kQuick;
  const Result result = isodrop(args, folder.path());
  EXPECT_EQ(result.code, 0) << describe(args, result);
  EXPECT_NE(result.err.find("no regularizer acts at 0 of the budget; --progress"),
            std::string::npos)
      << result.err;
  EXPECT_EQ(json_of(args, result)["points"][0]["w1"]["value"], 0);
  const Words later = args + Words{"--progress", "0.5"};
  EXPECT_EQ(isodrop(later, folder.path()).err.find("no regularizer"), std::string::npos);
}

TEST_F(ProbeCli, MistakesGetOneLineAndLeaveNothing) {
  train();
  const std::string weights = folder.read("my run/model.safetensors");
  const std::string config = folder.read("my run/config.json");
  folder.write("empty/notes.txt", "none");
  folder.write("stopped/config.json", config);
  folder.write("short/config.json", config);
  folder.write("short/model.safetensors", weights.substr(0, weights.size() / 2));
  folder.write("garbage/config.json", config);
  folder.write("garbage/model.safetensors", std::string(3000, '\n'));
  folder.write("broken/config.json", "{\"n_layer\": ");
  folder.write("broken/model.safetensors", weights);
  folder.write("wrong/config.json", "{\"n_layer\": \"two\"}");
  folder.write("wrong/model.safetensors", weights);
  nlohmann::json larger = nlohmann::json::parse(config);
  larger["n_embd"] = 32;
  folder.write("larger/config.json", larger.dump());
  folder.write("larger/model.safetensors", weights);
  const std::string data = folder.read("my run/data.json");
  for (const char* name : {"larger", "elsewhere"})
    folder.write(std::string(name) + "/data.json", data);
  nlohmann::json elsewhere = nlohmann::json::parse(config);
  elsewhere["text"] = "gone.txt";
  folder.write("elsewhere/config.json", elsewhere.dump());
  folder.write("elsewhere/model.safetensors", weights);
  const auto before = folder.snapshot();
  const std::vector<std::pair<Words, std::vector<std::string>>> bad = {
      {{"no run", "--dropout", "0.1"}, {"'no run'", "no such folder", "isodrop train --out"}},
      {{"text.txt", "--dropout", "0.1"}, {"'text.txt'", "no such folder"}},
      {{"empty", "--dropout", "0.1"}, {"'empty'", "config.json", "isodrop train --out"}},
      {{"stopped", "--dropout", "0.1"}, {"'stopped'", "no weights", "train again"}},
      {{"short", "--dropout", "0.1"}, {"short/model.safetensors", "bytes"}},
      {{"garbage", "--dropout", "0.1"}, {"garbage/model.safetensors", "header"}},
      {{"broken", "--dropout", "0.1"}, {"broken/config.json", "JSON"}},
      {{"wrong", "--dropout", "0.1"}, {"wrong/config.json", "n_layer", "whole number"}},
      {{"larger", "--dropout", "0.1"},
       {"'larger'", "model.safetensors does not belong to the run"}},
      {{"elsewhere", "--dropout", "0.1"},
       {"'elsewhere'", "model.safetensors does not belong to the run"}},
      {{"my run"}, {"no regularizer acts on activations or weights", "--dropout 0.1"}},
      {{"my run", "--reg", "label_smoothing:0.1"},
       {"no regularizer acts on activations or weights"}},
      {{"my run", "--n-layer", "1", "--dropout", "0.1"}, {"n_layer", "'my run'", "leave it out"}},
      {{"my run", "--dropout", "1"}, {"--dropout", "'1'"}},
      {{"my run", "--reg", "dropuot:0.1"}, {"dropuot", "dropout"}},
      {{"my run", "another", "--dropout", "0.1"}, {"'another'"}},
      {{"my run", "--dropout", "0.1", "--format", "yaml"}, {"--format", "'yaml'", "csv"}},
      {{"my run", "--dropout", "0.1", "--masks", "1"}, {"--masks", "'1'", "[2"}},
      {{"my run", "--dropout", "0.1", "--tokens", "0"}, {"--tokens", "'0'"}},
      {{"my run", "--dropout", "0.1", "--progress", "1.5"}, {"--progress", "'1.5'"}}};
  for (const auto& [more, says] : bad) {
    const Words args = Words{"probe"} + more;
    const std::string error = only_error(args, isodrop(args, folder.path()));
    for (const std::string& part : says)
      EXPECT_NE(error.find(part), std::string::npos) << "not '" << part << "' in " << error;
    EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << error;
  }
}

}  // namespace
}  // namespace tests
