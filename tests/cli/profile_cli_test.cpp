// `isodrop profile` and --dry-run as a user meets them.
#include <gtest/gtest.h>

#include "lab/report/render.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

const Words kTiny = {"--preset", "tiny", "--n-embd", "32", "--batch", "4"};

TEST(ProfileCli, WritesATraceAndAddsUp) {
  const TempFolder folder;
  const Words args = Words{"profile",     "--steps",    "4",      "--format",
                           "json",        "--trace",    "t.json", "--trace-events",
                           "120",         "--arm",      "none",   "--arm",
                           "dropout=0.1", "--progress", "0.25",   "--product-tuning",
                           "off"} +
                     kTiny;
  const Result result = isodrop(args, folder.path());
  const nlohmann::json json = json_of(args, result);
  EXPECT_FALSE(has_nan(json));
  for (const auto& arm : json["arms"]) {
    double sum = 0;
    for (const auto& row : arm["rows"]) sum += row["ms"].get<double>();
    EXPECT_NEAR(sum / arm["step_ms"].get<double>(), 1, 0.02);
    // c_attn, attn.c_proj, c_fc and mlp.c_proj forward, and the head with its loss.
    EXPECT_GE(arm["how"].size(), 2 * 4 + 1);
    for (const auto& how : arm["how"]) {
      EXPECT_NE(how["how"].get<std::string>().find(", partition"), std::string::npos) << how;
      EXPECT_GT(how["gflops"].get<double>(), 0) << how;
      EXPECT_GT(how["of_peak"].get<double>(), 0) << how;
    }
  }
  EXPECT_LE(nlohmann::json::parse(folder.read("t.json"))["traceEvents"].size(), 120U);
  EXPECT_EQ(json["progress"], 0.25);
  EXPECT_EQ(folder.snapshot().size(), 1U);
}

TEST(ProfileCli, MistakesLeaveNothing) {
  const TempFolder folder;
  folder.write("folder/precious.txt", "precious");
  const auto before = folder.snapshot();
  const std::vector<std::pair<Words, std::string>> bad = {
      {{"--by", "lair"}, "layer"},
      {{"--trace", "no/such/t.json"}, "no/such/t.json"},
      {{"--trace", "folder"}, "is a folder"},
      {{"--progress", "1.5"}, "--progress '1.5'"},
      {{"--trace", "t.json", "--trace-events", "0"}, "--trace-events '0'"},
      {{"--arm", "none", "--arm", "dropout=0.1", "--arm", "dropout=0.2"}, "two arms"},
      {{"--arm", "drop=0.1"}, "dropout"},
      {{"--arm", "dropout=0.1|0.2"}, "a profile tunes nothing; give one value of dropout"},
      {{"--steps", "0"}, "--steps '0'"}};
  for (const auto& [more, says] : bad) {
    const Words args = Words{"profile"} + kTiny + more;
    const std::string error = only_error(args, isodrop(args, folder.path()));
    EXPECT_NE(error.find(says), std::string::npos) << error;
    EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << error;
  }
}

TEST(DryRun, SaysWhatARunTakesAndWritesNothing) {
  const TempFolder folder;
  folder.write("text.txt", small_text(4000));
  const auto before = folder.snapshot();
  const Words args =
      Words{"train", "--dry-run", "--format", "json", "--text", "text.txt", "--budget", "7steps"} +
      kTiny;
  const nlohmann::json json = json_of(args, isodrop(args, folder.path()));
  EXPECT_EQ(json["steps"], 7);
  EXPECT_EQ(json["tokens"], 7 * 4 * 64);
  EXPECT_DOUBLE_EQ(json["flops"].get<double>(), 7 * json["flops_per_step"].get<double>());
  EXPECT_GT(json["seconds"].get<double>(), 0);
  EXPECT_EQ(json["fits"], true);
  const auto& memory = json["memory"];
  // Weights and gradients, two moments: each parameter has four numbers, but for alignment.
  const auto parameters = json["parameters"].get<double>();
  EXPECT_NEAR(memory["parameters"].get<double>() / parameters, 8, 0.1);
  EXPECT_EQ(memory["optimizer"], memory["parameters"]);
  EXPECT_EQ(memory["corpus"], 4 * 4000);
  double sum = 0;
  for (const char* part : {"parameters", "optimizer", "activations", "corpus", "program"})
    sum += memory[part].get<double>();
  EXPECT_EQ(memory["total"].get<double>(), sum);
  EXPECT_EQ(json["peak_memory"].get<double>(), sum);
  // A checkpoint: weights and two moments, without padding.
  EXPECT_EQ(json["checkpoint_bytes"].get<double>(), 12 * parameters);
  const Words words =
      Words{"train", "--dry-run", "--text", "text.txt", "--budget", "7steps"} + kTiny;
  const Result text = isodrop(words, folder.path());
  EXPECT_NE(text.out.find(" MB on disk, two are kept"), std::string::npos) << text.out;
  EXPECT_EQ(changes(before, folder.snapshot()), Words{});
}

TEST(DryRun, CountsTheRunsOfAComparison) {
  const TempFolder folder;
  const Words args = Words{"compare", "--dry-run", "--format", "json",         "--seeds",
                           "3",       "--epochs",  "1,4",      "--equivalent", "--budget",
                           "20steps", "--arm",     "none",     "--arm",        "dropout=0.1"} +
                     kTiny;
  const nlohmann::json json = json_of(args, isodrop(args, folder.path()));
  EXPECT_EQ(json["runs"], 3 * 2 * (2 + 4));
  ASSERT_EQ(json["arms"].size(), 2U);
  // 1/8, 1/4, 1/2 and 2 times the first arm's budget on top.
  const double run = json["arms"][0]["flops"].get<double>();
  EXPECT_DOUBLE_EQ(json["total_flops"].get<double>(), 6 * run * (1 + 3.875));
  EXPECT_TRUE(folder.snapshot().empty());
}

// Two at once, together 1.6 times as fast: 12.5 s each, and three of them take two turns.
TEST(DryRun, TheTimeIsThatOfTheBusiestJobInItsUnit) {
  lab::DryRun plan;
  plan.study = true;
  plan.jobs = {2, 2, 1.6, ""};
  lab::RunEstimate& arm = plan.arms.emplace_back();
  arm.name = "none", arm.steps = 7, arm.timed_steps = 3;
  plan.missing = {{0, 1}, {0, 1}, {0, 1}};
  for (const auto& [seconds, said] :
       {std::pair(10.0, "25.0 s"), {35.6, "89.0 s"}, {40.0, "1.7 min"}, {4320.0, "3.0 h"}}) {
    arm.training_seconds = seconds;
    EXPECT_DOUBLE_EQ(plan.seconds(), 2.5 * seconds);
    EXPECT_EQ(lab::to_json(plan)["total_seconds"], plan.seconds());
    const std::string text = lab::render_text(plan);
    EXPECT_NE(
        text.find(std::string("\nall          3 runs, 0 FLOP, ") + said +
                  " (first arm from 3 timed steps)\n"
                  "jobs         2 runs at once, 1.60 × as fast as one at a time (measured)\n"),
        text.npos)
        << text;
  }
}

TEST(DryRun, WhatDoesNotFitIsShownAndRefused) {
  const TempFolder folder;
  const Words args = {"train", "--dry-run", "--format", "json",     "--preset",
                      "gpt2",  "--batch",   "65536",    "--budget", "1steps"};
  const Result result = isodrop(args, folder.path());
  EXPECT_EQ(result.code, 2) << describe(args, result);
  EXPECT_NE(result.err.find("out of memory"), std::string::npos) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["fits"], false);
  EXPECT_EQ(json["seconds_from"], "half of the measured FMA peak");
  EXPECT_TRUE(folder.snapshot().empty());
}

TEST(DryRun, OtherMistakesAreThoseOfTheRealRun) {
  const TempFolder folder;
  const Words args = Words{"train", "--dry-run", "--text", "none.txt"} + kTiny;
  EXPECT_NE(only_error(args, isodrop(args, folder.path())).find("none.txt"), std::string::npos);
  EXPECT_TRUE(folder.snapshot().empty());
}

}  // namespace
}  // namespace tests
