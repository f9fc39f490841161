// `isodrop run` and the store that it fills: plans, exit codes, who waits for whom, what is made
// again and what is not, and how often somebody has looked.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <set>
#include <thread>

#include "lab/runs/spec.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

class CliRun : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(12000)); }

  /// A comparison of none and dropout=0.1 over 2 seeds, unless `more` says otherwise.
  static Words compare(const Words& more = {}) {
    return Words{"compare", "--text", "text.txt",     "--preset", "tiny",     "--n-embd", "16",
                 "--batch", "4",      "--block-size", "16",       "--budget", "20steps"} +
           more;
  }
  static Words two_arms(const Words& more = {}) {
    return compare(Words{"--arm", "none", "--arm", "dropout=0.1"} + more);
  }
  Json result(const Words& args) const {
    const Words all = args + kOneByOne;
    const Result r = isodrop(all, folder.path());
    EXPECT_EQ(r.code, 0) << describe(all, r);
    return json_of(all, r);
  }
  /// Writes the specs of the missing runs; their paths.
  std::set<std::string> plan(const Words& args, const std::string& into = "specs") const {
    const Words all = args + Words{"--plan", into};
    const Result r = isodrop(all, folder.path());
    EXPECT_EQ(r.code, 0) << describe(all, r);
    std::set<std::string> paths;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder.path() / into, none))
      paths.insert(into + "/" + entry.path().filename().string());
    return paths;
  }
  /// The first of a plan's specs.
  std::string one_spec(const Words& more = {}) const {
    return *plan(two_arms(Words{"--seeds", "1"} + more)).begin();
  }
  Result run(const std::string& spec, const Words& more = {}, const Words& environment = {}) const {
    return isodrop(Words{"run", spec} + more, folder.path(), environment);
  }
  const Words kOneByOne = {"--jobs", "1", "--format", "json"};
  Files made(const std::string& store = "runs") const { return records(folder.path() / store); }
  /// What is in the store beside notes on looks.
  Files runs() const {
    Files all = folder.snapshot(), out;
    for (const auto& [name, content] : all)
      if (name.starts_with("runs/") && !name.starts_with("runs/looks")) out[name] = content;
    return out;
  }

  const TempFolder folder;
};

std::string id_of(const std::string& spec) { return fs::path(spec).stem().string(); }

TEST_F(CliRun, APlanIsASpecForEveryMissingRunAndMakesNone) {
  const auto specs = plan(two_arms({"--seeds", "2", "--out", "cmp"}));
  ASSERT_EQ(specs.size(), 4U);
  EXPECT_FALSE(fs::exists(folder.path() / "runs"));
  EXPECT_FALSE(fs::exists(folder.path() / "cmp"));
  std::set<std::pair<std::uint64_t, double>> planned;
  for (const std::string& path : specs) {
    const Json spec = Json::parse(folder.read(path));
    EXPECT_EQ(spec["id"], id_of(path));
    EXPECT_EQ(spec["schema"], 2);
    planned.insert(
        {spec["settings"]["seed"].get<std::uint64_t>(), spec["settings"]["dropout"].get<double>()});
  }
  EXPECT_EQ(planned, (decltype(planned){{1, 0}, {1, 0.1}, {2, 0}, {2, 0.1}}));
  const std::string first = *specs.begin();
  EXPECT_EQ(run(first).code, 0);
  const auto left = plan(two_arms({"--seeds", "2"}), "left");
  EXPECT_EQ(left.size(), 3U);
  EXPECT_FALSE(left.contains("left/" + id_of(first) + ".json"));
}

TEST_F(CliRun, MakesARunOnceAndIsThenThereAtOnce) {
  const std::string spec = one_spec(), id = id_of(spec);
  folder.write("runs/" + id + "/metrics.jsonl.99-ab.tmp", "{");  // of somebody who was killed
  const Result first = run(spec);
  EXPECT_EQ(first.code, 0) << describe({spec}, first);
  EXPECT_TRUE(has(first.out, "run " + id + " made: ok, validation loss ")) << first.out;
  const Files before = runs();
  for (const char* name : {"spec.json", "record.json", "metrics.jsonl", "lock"})
    EXPECT_TRUE(before.contains("runs/" + id + "/" + name)) << name;
  EXPECT_EQ(before.size(), 5U) << "and the folder itself: no weights, no temporaries";
  Json record = Json::parse(before.at("runs/" + id + "/record.json"));
  EXPECT_EQ(record["id"], id);
  for (const char* split : {"val", "test"}) {  // 6000 characters, a tenth each, windows of 8
    const auto text = record["windows"][split].get<std::string>();
    EXPECT_EQ(std::count(text.begin(), text.end(), ' '), 74) << split;
  }
  record.erase("windows"), record.erase("hash");
  EXPECT_EQ(record["steps"], 20);
  const auto written = fs::last_write_time(folder.path() / "runs" / id / "metrics.jsonl");
  const Result again = run(spec, {"--format", "json"});
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(changes(before, runs()), Words{}) << "nothing was trained";
  EXPECT_EQ(fs::last_write_time(folder.path() / "runs" / id / "metrics.jsonl"), written);
  EXPECT_EQ(Json::parse(again.out), (Json{{"event", "record"}, {"record", record}}));
  EXPECT_TRUE(has(run(spec).out, "exists: ok"));
}

TEST_F(CliRun, ADivergedRunIsRecordedAndEndsWithThree) {
  const Words wild = compare({"--arm", "none", "--arm", "wild: lr=1e30,warmup=0", "--seeds", "1"});
  int diverged = 0;
  for (const std::string& spec : plan(wild)) {
    const Result first = run(spec, {"--keep-weights"});
    const bool wild_one = Json::parse(folder.read(spec))["settings"]["warmup"] == 0;
    diverged += wild_one ? 1 : 0;
    EXPECT_EQ(first.code, wild_one ? 3 : 0);
    const Files before = runs();
    EXPECT_EQ(run(spec, {"--keep-weights"}).code, first.code) << "and again";
    EXPECT_EQ(changes(before, runs()), Words{});
    const Json record = Json::parse(made().at(id_of(spec)));
    EXPECT_EQ(record["status"], wild_one ? "diverged" : "ok");
    EXPECT_EQ(record["diverged_at"].is_number(), wild_one);
  }
  EXPECT_EQ(diverged, 1);
}

TEST_F(CliRun, WhatIsNoSpecIsRefusedAndNothingIsWritten) {
  const std::string spec = one_spec();
  const Json good = Json::parse(folder.read(spec));
  const auto refused = [&](const Json& json, const std::string& why) {
    folder.write("bad.json", json.is_string() ? json.get<std::string>() : json.dump());
    const Words args = {"run", "bad.json"};
    const std::string error = only_error(args, isodrop(args, folder.path()));
    EXPECT_TRUE(has(error, "bad.json")) << error;
    EXPECT_TRUE(has(error, why)) << error;
    EXPECT_FALSE(fs::exists(folder.path() / "runs")) << error;
  };
  const auto with = [&](const auto& change) {
    Json json = good;
    change(json);
    return json;
  };
  refused("{", "not valid JSON");
  refused(Json::object(), "not a run's spec");
  refused(with([](Json& j) { j["numerics"] = 999; }), "made for numerics '999'");
  refused(with([](Json& j) { j["settings"]["lr"] = 0.123; }), "edited by hand");
  refused(with([](Json& j) { j["settings"].erase("n_embd"); }), "edited by hand");
  const Words none = {"run"}, absent = {"run", "absent.json"};
  EXPECT_TRUE(has(only_error(none, isodrop(none, folder.path())), "run which spec?"));
  EXPECT_TRUE(has(only_error(absent, isodrop(absent, folder.path())), "cannot read absent.json"));
}

TEST_F(CliRun, WaitsForAnotherProcessOrLeaves) {
  const std::string spec = one_spec(), id = id_of(spec);
  fs::create_directories(folder.path() / "runs" / id);
  const int lock =
      open((folder.path() / "runs" / id / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  const Result busy = run(spec, {"--no-wait"});
  EXPECT_EQ(busy.code, 75);
  EXPECT_EQ(busy.err, "isodrop: run " + id + ": another process is making it\n");
  EXPECT_EQ(busy.out, "");
  Process waits({"run", spec}, folder.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_TRUE(waits.running());
  EXPECT_EQ(made().size(), 0U);
  close(lock);
  EXPECT_EQ(waits.wait().code, 0);
  EXPECT_EQ(made().size(), 1U);
  EXPECT_EQ(run(spec, {"--no-wait"}).code, 0);

  // What the other has made meanwhile is taken, though it left before it was through with the next.
  const std::string record = made().at(id), file = "runs/" + id + "/record.json";
  fs::remove(folder.path() / file);
  const int again = open((folder.path() / "runs" / id / "lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(again, LOCK_EX), 0);
  Process late({"run", spec}, folder.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  folder.write(file, record);
  close(again);
  EXPECT_TRUE(has(late.wait().out, "exists: ok"));
  EXPECT_EQ(made().at(id), record);
}

TEST_F(CliRun, KeepsTheWeightsOfAComparisonWhereAsked) {
  const Words args = two_arms({"--seeds", "1"});
  const auto weights = [&] {
    std::size_t count = 0;
    for (const auto& [id, record] : made())
      count += fs::exists(folder.path() / "runs" / id / "model.safetensors") ? 1 : 0;
    return count;
  };
  EXPECT_EQ(isodrop(args + kOneByOne, folder.path()).code, 0);
  EXPECT_EQ(weights(), 0U);
  const auto before = made();
  const Words keep = args + kOneByOne + Words{"--keep-weights"};
  const Result r = isodrop(keep, folder.path());
  EXPECT_EQ(r.code, 0) << describe(keep, r);
  EXPECT_EQ(weights(), 2U) << "those that were there are made again";
  EXPECT_EQ(made().size(), before.size());
  EXPECT_EQ(isodrop(keep, folder.path()).err, "") << "and then they are there";
}

// Two commands share the work: what another process is making comes last.
TEST_F(CliRun, ACompareMakesWhatNobodyElseIsMaking) {
  const Words args = two_arms({"--seeds", "2"});
  // The first of its runs, whichever they are.
  Json first;
  for (const std::string& spec : plan(args)) {
    const Json json = Json::parse(folder.read(spec));
    if (json["settings"]["seed"] == 1 && json["settings"]["dropout"] == 0) first = json;
  }
  const fs::path mine = folder.path() / "runs" / first["id"].get<std::string>();
  fs::create_directories(mine);
  const int lock = open((mine / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  Process process(args + kOneByOne, folder.path());
  for (int i = 0; i < 6000 && made().size() < 3 && process.running(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(made().size(), 3U);
  EXPECT_TRUE(process.running());
  close(lock);
  const Result r = process.wait();
  EXPECT_EQ(r.code, 0) << describe(args, r);
  EXPECT_EQ(made().size(), 4U);
}

TEST_F(CliRun, TheStoreIsTheFlagsOrTheEnvironments) {
  const std::string spec = one_spec();
  EXPECT_EQ(run(spec, {}, {"ISODROP_STORE=mine"}).code, 0);
  EXPECT_EQ(run(spec, {"--store", "flag"}, {"ISODROP_STORE=other"}).code, 0);
  EXPECT_EQ(run(spec, {}, {"ISODROP_STORE="}).code, 0) << "empty is not set";
  for (const char* store : {"mine", "flag", "out/runs"}) EXPECT_EQ(made(store).size(), 1U) << store;
  EXPECT_FALSE(fs::exists(folder.path() / "other"));
  EXPECT_FALSE(fs::exists(folder.path() / "runs"));
}

TEST_F(CliRun, KeepsWeightsWhereAsked) {
  const std::string spec = one_spec();
  const fs::path weights = folder.path() / "runs" / id_of(spec) / "model.safetensors";
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_FALSE(fs::exists(weights));
  const Json first = Json::parse(made().begin()->second);
  EXPECT_EQ(run(spec, {"--keep-weights"}).code, 0);
  EXPECT_TRUE(fs::exists(weights)) << "a run that is there without its weights is made again";
  const Json again = Json::parse(made().begin()->second);
  EXPECT_EQ(again["val_loss"], first["val_loss"]);
  const Files before = runs();
  EXPECT_EQ(run(spec, {"--keep-weights"}).code, 0);
  EXPECT_EQ(run(spec).code, 0);
  EXPECT_EQ(changes(before, runs()), Words{});
}

TEST_F(CliRun, ACompareTakesTheRunsThatWereMadeByHand) {
  const Words args = two_arms({"--seeds", "2"});
  for (const std::string& spec : plan(args)) EXPECT_EQ(run(spec).code, 0);
  const Files before = runs();
  const Json j = result(args);
  EXPECT_EQ(changes(before, runs()), Words{}) << "nothing was trained";
  EXPECT_EQ(j["final"], true);
  for (const Json& arm : j["cells"][0]["arms"])
    for (const Json& one : arm["runs"]) {
      Json kept = Json::parse(before.at("runs/" + one["id"].get<std::string>() + "/record.json"));
      kept.erase("windows"), kept.erase("hash");
      EXPECT_EQ(one, kept);
    }
  EXPECT_EQ(losses(j), losses(result(args + Words{"--store", "elsewhere", "--out", "b"})));
}

TEST_F(CliRun, WhatIsAddedIsTrainedAlone) {
  result(two_arms({"--seeds", "2"}));
  Files before = made();
  ASSERT_EQ(before.size(), 4U);
  const auto added = [&](const Words& args) {
    result(args);
    const Files now = made();
    for (const auto& [id, record] : before) EXPECT_EQ(now.at(id), record) << id;
    const std::size_t count = now.size() - before.size();
    before = now;
    return count;
  };
  EXPECT_EQ(added(two_arms({"--seeds", "2", "--arm", "dropout=0.3"})), 2U) << "an arm";
  EXPECT_EQ(added(two_arms({"--seeds", "3"})), 2U) << "a seed";
  EXPECT_EQ(added(compare({"--arm", "dropout=0.3", "--arm", "dropout=0.1", "--seeds", "2"})), 0U)
      << "another study of the same arms";
  EXPECT_EQ(added(compare({"--arm", "a: none", "--arm", "b: dropout=0.1", "--threads", "1",
                           "--margin", "0.5", "--seeds", "3"})),
            0U)
      << "names, threads and margin make no other run";
}

// The bar is of the compute: a run of a twentieth of the budget is little of it.
TEST_F(CliRun, TheBarCountsRunsByTheirBudgets) {
  Words args = compare({"--arm", "short: budget_share=0.05", "--arm", "none", "--seeds", "1"});
  *std::find(args.begin(), args.end(), "20steps") = "400steps";
  const Result r = isodrop(args + kOneByOne, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  static const std::regex line(R"(\] +(\d+) % .*run (\d)/2 .*step (\d+)/(\d+) )");
  int lines = 0;
  for (std::sregex_iterator at(r.err.begin(), r.err.end(), line), end; at != end; ++at, ++lines) {
    const auto number = [&](std::size_t i) { return std::stod(at->str(i)); };
    const double of_run = number(3) / number(4),
                 done = number(2) == 1 ? 0.05 * of_run : 0.05 + of_run;
    EXPECT_NEAR(number(1), 100 * done / 1.05, 1) << at->str();
  }
  EXPECT_GT(lines, 0) << r.err;
}

// A log gets the table at 1, 2, 4, ... seeds.
TEST_F(CliRun, TheTableSoFarIsShownNowAndThen) {
  const Words args = two_arms({"--seeds", "5"});
  const Result r = isodrop(args + kOneByOne, folder.path());
  int tables = 0;
  for (std::size_t at = 0; (at = r.err.find("Not final: the table", at)) != std::string::npos; ++at)
    ++tables;
  EXPECT_EQ(tables, 3) << r.err;
  EXPECT_TRUE(has(isodrop(two_arms({"--seeds", "6"}) + kOneByOne, folder.path()).err,
                  "going on: 10 of 12 runs are done"));
}

TEST_F(CliRun, AChangedTextIsAnotherText) {
  const std::string spec = one_spec();
  result(two_arms({"--seeds", "1"}));
  const Words trained = {"train",   "--text",   "text.txt", "--preset",     "tiny", "--n-embd",
                         "16",      "--batch",  "4",        "--dropout",    "0.1",  "--out",
                         "trained", "--budget", "5steps",   "--block-size", "16"};
  EXPECT_EQ(isodrop(trained, folder.path()).code, 0);
  folder.write("text.txt", small_text(12000, 2));
  const Words args = {"run", spec, "--store", "fresh"}, probe = {"probe", "trained"};
  const std::string error = only_error(args, isodrop(args, folder.path()));
  EXPECT_TRUE(has(error, "text.txt: not what the run was planned for")) << error;
  EXPECT_EQ(made("fresh").size(), 0U);
  EXPECT_TRUE(has(only_error(probe, isodrop(probe, folder.path())), "trained on"));
  result(two_arms({"--seeds", "1", "--out", "b"}));
  EXPECT_EQ(made().size(), 4U) << "its runs are others";
}

TEST_F(CliRun, RunsOfAnotherBuildAreMadeAgainOrTakenAndNamed) {
  const Words args = two_arms({"--seeds", "2"});
  const Json before = result(args);
  const std::string id = made().begin()->first, name = "runs/" + id + "/record.json";
  Json foreign = Json::parse(folder.read(name));
  foreign["build"]["source"] = "0123456789ab";
  foreign["val_loss"] = 9.5;
  foreign["windows"]["val"] = "9.5";
  foreign["hash"] = lab::fingerprint([&] {
    lab::Json rest = lab::Json::parse(foreign.dump());
    rest.erase("hash");
    return rest;
  }());
  folder.write(name, foreign.dump());
  const Json taken = result(args + Words{"--other-builds"});
  EXPECT_EQ(Json::parse(folder.read(name)), foreign);
  ASSERT_EQ(taken["builds"].size(), 2U);
  EXPECT_TRUE(taken["builds"][0]["source"] == "0123456789ab" ||
              taken["builds"][1]["source"] == "0123456789ab");
  EXPECT_NE(losses(taken), losses(before));
  EXPECT_TRUE(has(isodrop(args + Words{"--other-builds"}, folder.path()).out, "made by 2 builds"));
  const std::string spec = "runs/" + id + "/spec.json";
  EXPECT_TRUE(has(run(spec, {"--other-builds"}).out, "exists: ok, validation loss 9.5000"));

  const Result again = isodrop(args + kOneByOne, folder.path());
  EXPECT_TRUE(has(again.err, "1 run in runs by another build: made again")) << again.err;
  EXPECT_EQ(losses(json_of(args, again)), losses(before));
  EXPECT_EQ(json_of(args, again)["builds"].size(), 1U);
  int kept = 0;
  for (const auto& [path, content] : runs())
    if (path.starts_with("runs/" + id + "/record-")) {
      ++kept;
      EXPECT_EQ(Json::parse(content), foreign) << "beside the new one";
    }
  EXPECT_EQ(kept, 1);
}

TEST_F(CliRun, LooksBelongToTheQuestion) {
  const auto looks = [&](const Words& args) { return result(args)["rules"]["looks"].get<int>(); };
  EXPECT_EQ(looks(two_arms({"--seeds", "2"})), 1);
  EXPECT_EQ(looks(two_arms({"--seeds", "2"})), 1) << "showing again is none";
  EXPECT_EQ(looks(two_arms({"--seeds", "2", "--margin", "0.5", "--out", "b"})), 1);
  EXPECT_EQ(looks(two_arms({"--seeds", "2", "--seed", "11", "--out", "c"})), 2);
  EXPECT_EQ(looks(two_arms({"--seeds", "3", "--margin", "0.5", "--out", "d"})), 3);
  EXPECT_EQ(looks(two_arms({"--seeds", "3"})), 3) << "again no seed that was not seen";
  EXPECT_EQ(looks(compare({"--arm", "dropout=0.1", "--arm", "none", "--seeds", "4"})), 4)
      << "whichever is the baseline";
  EXPECT_EQ(looks(compare({"--arm", "none", "--arm", "dropout=0.3", "--seeds", "3"})), 1)
      << "another question";
  EXPECT_EQ(looks(two_arms({"--seeds", "2", "--lr", "0.01"})), 1) << "another question";
  EXPECT_EQ(looks(two_arms({"--seeds", "1", "--seed", "31", "--out", "e"})), 1)
      << "one pair is no verdict, and counts for none";
  const Json j = result(two_arms({"--seeds", "5"}));
  EXPECT_EQ(j["rules"]["looks"], 5);
  EXPECT_EQ(looks(compare(
                {"--arm", "none", "--arm", "dropout=0.3", "--arm", "dropout=0.1", "--seeds", "3"})),
            5)
      << "the most that any of its questions has had";
  EXPECT_EQ(j["cells"][0]["arms"][1]["vs_baseline"]["ci"]["level"], 1 - 0.05 / 20);
}

}  // namespace
}  // namespace tests
