// A run as a value: its id, its spec, its record, the store.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/files.h"
#include "engine/rng.h"
#include "lab/runs/executor.h"
#include "lab/runs/make.h"
#include "lab/runs/spec.h"
#include "lab/runs/store.h"
#include "lab/study/study_runs.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kData = "0123456789abcdef0123456789abcdef";

RunSpec spec() {
  RunSpec s{{}, kData};
  s.settings.n_embd = 64;
  return s;
}

RunRecord record() {
  RunRecord r;
  r.id = run_id(spec());
  r.seed = 3;
  r.build = this_build();
  r.machine = {"a CPU", 2};
  r.values = {{"val_loss", 1.25}, {"steps", 100}};
  return r;
}

TEST(RunSpec, ItsIdIsThatOfWhatDecidesTheResult) {
  const std::string id = run_id(spec());
  EXPECT_EQ(id.size(), 32U);
  const auto same = [&](const auto& change) {
    RunSpec s = spec();
    change(s);
    EXPECT_EQ(run_id(s), id);
  };
  same([](auto& s) { s.settings.threads = 3; });
  same([](auto& s) { s.settings.recompute = true; });
  same([](auto& s) { s.settings.text = "a.txt"; });
  same([](auto& s) { s.settings.csv = "a.csv"; });
  same([](auto& s) { s.settings.init_from = "a"; });
  same([](auto& s) { s.settings.preset = "char"; });
  const auto other = [&](const auto& change) {
    RunSpec s = spec();
    change(s);
    EXPECT_NE(run_id(s), id);
  };
  other([](auto& s) { s.settings.seed = 2; });
  other([](auto& s) { s.settings.dropout = 0.1; });
  other([](auto& s) { s.settings.min_lr = 0.1; });
  other([](auto& s) { s.settings.unique_tokens = 1000; });
  other([](auto& s) { s.settings.budget_share = 0.5; });
  other([](auto& s) { s.settings.eval_tokens = 100; });
  other([](auto& s) { s.settings.columns_per_token = 2; });
  other([](auto& s) { s.settings.target = "y"; });
  other([](auto& s) { s.data[0] = 'f'; });
  other([](auto& s) { s.owner = "somebody"; });
  other([](auto& s) { s.init = kData; });
}

// Held so that nobody changes ids without meaning to: every run of every user would be made again.
TEST(RunSpec, ItsIdIsTheSameEverywhere) {
  EXPECT_EQ(identity(spec()).dump(),
            R"({"numerics":3,"data":"0123456789abcdef0123456789abcdef","settings":{"n_embd":64}})");
  EXPECT_EQ(
      run_id(spec()),
      fingerprint(Json::parse(
          R"({"settings":{"n_embd":64},"data":"0123456789abcdef0123456789abcdef","numerics":3})")))
      << "the order of keys is nobody's business";
}

TEST(RunSpec, EverySettingThatIsNotExemptChangesTheId) {
  for (const train::Row& row : train::settings_table()) {
    const auto names = {"preset", "text", "val",       "threads", "recompute",
                        "test",   "csv",  "init_from", "bin_type"};
    EXPECT_EQ(decides_results(row), std::find(names.begin(), names.end(), row.name) == names.end())
        << row.name;
  }
}

TEST(RunSpec, ReadsBackWhatItWrote) {
  RunSpec s = spec();
  s.settings.reg = "dropout:0.1@attn~early:0.5";
  s.settings.seed = std::numeric_limits<std::uint64_t>::max();
  s.settings.text = "a.txt";
  const Json json = Json::parse(to_json(s).dump());
  const RunSpec back = spec_from_json(json, "x.json");
  EXPECT_EQ(run_id(back), run_id(s));
  EXPECT_EQ(back.settings.seed, s.settings.seed);
  EXPECT_TRUE(fs::path(back.settings.text).is_absolute()) << "it may be read from any folder";
  s.settings.text.clear();
  s.settings.task = "regression";
  s.settings.csv = "a.csv";
  s.settings.target = "y";
  EXPECT_TRUE(fs::path(spec_from_json(to_json(s), "x.json").settings.csv).is_absolute());
}

TEST(RunSpec, IsNotTrusted) {
  const Json good = to_json(spec());
  const auto refused = [&](const auto& change, const char* why) {
    Json json = good;
    change(json);
    EXPECT_ERROR(spec_from_json(json, "x.json"), "x.json");
    EXPECT_ERROR(spec_from_json(json, "x.json"), why);
  };
  refused([](Json& j) { j = Json::array(); }, "not a run's spec");
  refused([](Json& j) { j["schema"] = 1; }, "schema '1'");
  refused([](Json& j) { j["numerics"] = kNumerics + 1; }, "numerics");
  refused([](Json& j) { j.erase("numerics"); }, "numerics");
  refused([](Json& j) { j["data"] = "xyz"; }, "32 hex digits");
  refused([](Json& j) { j["settings"]["lr"] = 0.5; }, "edited by hand");
  refused([](Json& j) { j["settings"]["lr"] = "fast"; }, "lr");
  refused([](Json& j) { j["settings"]["n_head"] = 5; }, "n_head=5");
  refused([](Json& j) { j["settings"]["speed"] = 1; }, "unknown setting");
  refused([](Json& j) { j.erase("owner"); }, "owner");
  refused([](Json& j) { j["id"] = std::string(32, '0'); }, "edited by hand");
}

TEST(RunRecord, ReadsBackWhatItWrote) {
  RunRecord r = record();
  r.seed = (std::uint64_t{1} << 53) + 1;
  const RunRecord back = record_from_json(Json::parse(to_full_json(r).dump()), "r.json");
  EXPECT_EQ(to_full_json(back), to_full_json(r));
  EXPECT_EQ(back.seed, r.seed) << "two seeds must not become one";
  EXPECT_EQ(to_json(r)["seed"], "9007199254740993");
  EXPECT_TRUE(to_json(r)["excess"].is_null()) << "every metric is there, known or not";
  for (const Metric& m : metrics()) EXPECT_TRUE(to_json(r).contains(m.name)) << m.name;
}

TEST(RunRecord, IsNotTrusted) {
  const Json good = to_full_json(record());
  const auto refused = [&](const auto& change, const char* why) {
    Json json = good;
    change(json);
    EXPECT_ERROR(record_from_json(json, "r.json"), "r.json");
    EXPECT_ERROR(record_from_json(json, "r.json"), why);
  };
  refused([](Json& j) { j = 1; }, "not a run's record");
  refused([](Json& j) { j["seed"] = 1e300; }, "seed");
  refused([](Json& j) { j["seed"] = -1; }, "seed");
  refused([](Json& j) { j["seed"] = "1x"; }, "seed");
  refused([](Json& j) { j["status"] = "fine"; }, "status");
  refused([](Json& j) { j["status"] = "failed"; }, "status");
  refused([](Json& j) { j["val_loss"] = nullptr; }, "val_loss");
  refused([](Json& j) { j["val_loss"] = true; }, "val_loss");
  refused([](Json& j) { j["build"]["isa"] = 3; }, "isa");
  refused([](Json& j) { j.erase("build"); }, "build");
  refused([](Json& j) { j["machine"]["threads"] = "2"; }, "machine");
  refused([](Json& j) { j["machine"]["cpu"] = "a\x1b[2J"; },
          "'a\\x1b[2J' holds control characters");
  refused([](Json& j) { j["build"]["compiler"] = "g\u202e++"; }, "g\\u{202e}++");
  refused([](Json& j) { j["loss\x7f"] = 1; }, "'loss\\x7f' holds");
}

TEST(RunRecord, ALossIsThatOfItsWindows) {
  RunRecord r = record();
  r.values.set("test_loss", 2);
  r.test_windows = {1, 3};
  const auto read = [&] { return record_from_json(to_full_json(r), "r.json"); };
  EXPECT_EQ(read().value("test_loss"), 2);
  r.values.set("test_loss", 1.25);
  EXPECT_EQ(read().value("test_loss"), 1.25) << "the last window may have fewer targets";
  for (const double bad : {0.99, 2.01, 1.5 - 1000}) {
    r.values.set("test_loss", bad);
    EXPECT_ERROR(read(), "which is not the mean of 'windows.test'; remove this file to make the ");
  }
  r.values.set("test_loss", 2);
  r.val_windows = {1.25F};
  EXPECT_EQ(read().value("val_loss"), 1.25);
  r.val_windows = {1.26F};
  EXPECT_ERROR(read(), "'val_loss' is 1.25");
}

TEST(RunRecord, NoFlippedBitOfAStoredOneChangesANumber) {
  RunRecord whole = record();
  whole.values.set("test_loss", 2.25);
  whole.test_windows = {2.25F};
  const std::string good = to_stored_json(whole).dump();
  const RunRecord read = record_from_stored(Json::parse(good), "r.json");
  EXPECT_EQ(to_stored_json(read).dump(), good);
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); bit += 3) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const Json json = Json::parse(bad, nullptr, false);
    if (json.is_discarded()) continue;
    if (json == Json::parse(good)) continue;  // 1e9 and 1E9
    ++refused;
    EXPECT_ERROR(record_from_stored(json, "r.json"), "; remove this file to make the run again");
  }
  EXPECT_GT(refused, 500);
  EXPECT_ERROR(record_from_stored(to_full_json(whole), "r.json"), "r.json: has no 'hash'");
}

TEST(RunRecord, KeepsTheLossesOfWindowsExactly) {
  RunRecord r = record();
  r.values.erase("val_loss"), r.values.erase("test_loss");
  r.status = Status::kDiverged;
  r.val_windows = {1.5F, 0.1F, std::nextafter(2.0F, 3.0F), 3e-8F};
  r.test_windows = {2.25F};
  const RunRecord again = record_from_json(Json::parse(to_full_json(r).dump()), "r.json");
  EXPECT_EQ(again.val_windows, r.val_windows);
  EXPECT_EQ(again.test_windows, r.test_windows);
  for (const char* bad : {"1.5 x", "1.5  2", "nan", "1.5,2", " 1", "1e99"}) {
    Json json = to_full_json(r);
    json["windows"]["val"] = bad;
    EXPECT_ERROR(record_from_json(json, "r.json"), "'windows.val' is not a text of numbers");
  }
  Json json = to_full_json(r);
  json["windows"] = 7;
  EXPECT_ERROR(record_from_json(json, "r.json"), "'windows' is not {val, test}");
}

// Thousands of damaged files: an error, or a record that says the same as what it was read from.
TEST(RunRecord, NoDamageCrashesOrPassesUnseen) {
  RunRecord whole = record();
  whole.val_windows = {1.5F, 1, 1.25F};
  whole.test_windows = {2.25F};
  const std::string good = to_full_json(whole).dump();
  engine::Sequence random(engine::stream_key(5, engine::Stream::kData), 0);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = random.below(bad.size());
      switch (random.below(3)) {
        case 0:
          bad[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          bad.erase(at, 1 + random.below(20));
          break;
        default:
          bad.insert(at, bad.substr(random.below(bad.size()), random.below(20)));
      }
      if (bad.empty()) bad = "x";
    }
    const Json json = Json::parse(bad, nullptr, false);
    if (json.is_discarded()) {
      ++refused;
      continue;
    }
    try {
      const RunRecord r = record_from_json(json, "r.json");
      const Json again = to_full_json(r);
      for (const char* key : {"id", "status", "val_loss"}) EXPECT_EQ(again[key], json[key]) << bad;
      for (const char* key : {"build", "machine", "windows"})  // what nobody asks for is not kept
        for (const auto& [name, value] : again[key].items())
          EXPECT_EQ(value, json[key][name]) << bad;
    } catch (const base::Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 3000);
}

TEST(Store, FindsWhatWasSavedAndTrustsNoMisplacedFile) {
  const tests::TempFolder folder;
  const Store store(folder.path() / "runs");
  const RunRecord r = record();
  EXPECT_FALSE(store.find(r.id));
  EXPECT_FALSE(fs::exists(store.root())) << "looking makes nothing";
  store.add_spec(spec());
  store.save(r);
  ASSERT_TRUE(store.find(r.id));
  EXPECT_EQ(to_json(*store.find(r.id)), to_json(r));
  fs::copy(store.folder(r.id), store.folder("other"), fs::copy_options::recursive);
  EXPECT_ERROR(store.find("other"), "is the record of run '" + r.id);
}

TEST(Store, KeepsARecordOfAnotherBuildBesideTheNewOne) {
  const tests::TempFolder folder;
  const Store store(folder.path());
  RunRecord old = record();
  old.build.source = "other sources";
  store.add_spec(spec());
  store.save(old);
  EXPECT_FALSE(usable(*store.find(old.id), false));
  EXPECT_TRUE(usable(*store.find(old.id), true));
  store.save(record());
  EXPECT_TRUE(usable(*store.find(old.id), false));
  int kept = 0;
  for (const auto& entry : fs::directory_iterator(store.folder(old.id)))
    kept += entry.path().filename().string().starts_with("record-") ? 1 : 0;
  EXPECT_EQ(kept, 1);
}

TEST(Build, IsAnotherWhereBitsMayDiffer) {
  const Build mine = this_build();
  Build other = mine;
  other.commit = "abc";
  other.version = "9";
  EXPECT_TRUE(mine.computes_like(other)) << "a commit that changes no source of bits";
  for (std::string Build::*part : {&Build::source, &Build::compiler, &Build::isa, &Build::onednn}) {
    other = mine;
    other.*part += "x";
    EXPECT_FALSE(mine.computes_like(other));
  }
  EXPECT_EQ(build_from_json(to_json(mine), "b"), mine);
  EXPECT_EQ(mine.source.size(), 12U);
}

TEST(RunLock, IsOneProcessesAtATime) {
  const tests::TempFolder folder;
  {
    const RunLock first(folder.path());
    EXPECT_TRUE(first.held());
    EXPECT_FALSE(RunLock(folder.path()).held());
  }
  EXPECT_TRUE(RunLock(folder.path()).held());
  EXPECT_ERROR(RunLock(folder.path() / "nowhere"), "cannot write");
}

TEST(Workers, ShareTheThreadsAndAreCommands) {
  Workers workers{"isodrop", 3, 8};
  EXPECT_EQ(workers.share(0), 3);
  EXPECT_EQ(workers.share(1), 3);
  EXPECT_EQ(workers.share(2), 2) << "8 in all";
  EXPECT_EQ((Workers{"isodrop", 3, 2}.share(2)), 1) << "none has less than one";
  using Words = std::vector<std::string>;
  const Store store("runs");
  const Words plain = {"isodrop",   "run", "runs/ab/spec.json", "--store", "runs",
                       "--threads", "2",   "--format",          "json"};
  EXPECT_EQ(workers.command(store, {"ab", 1, ""}, 2), plain);
  workers.other_builds = workers.keep_weights = true;
  Words more = plain;
  more.insert(more.end(), {"--other-builds", "--keep-weights"});
  EXPECT_EQ(workers.command(store, {"ab", 1, ""}, 2), more);
  more[2] = "specs/ab.json";
  EXPECT_EQ(workers.command(store, {"ab", 1, "", "specs/ab.json"}, 2), more);
}

TEST(Executor, ProgressReadsBackWhatItWrote) {
  train::Progress p;
  p.step = 3, p.steps = 10, p.fraction = 0.25, p.train_loss = 2.5, p.lr = 0.125, p.grad_norm = 4;
  p.spent = {3, 192, 1e6, 1.5, 0};
  EXPECT_FALSE(progress_from_json(to_json(p)).val_loss);
  p.val_loss = 2;
  EXPECT_EQ(to_json(progress_from_json(to_json(p))), to_json(p));
  EXPECT_EQ(to_json(p)["val_loss"], 2);
  EXPECT_EQ(to_json(p)["seconds"], 1.5);
}

TEST(MakeRun, RefusesDataThatHaveChanged) {
  const tests::TempFolder folder;
  folder.write("text.txt", tests::small_text(4000));
  RunSpec s = spec();
  s.settings.text = (folder.path() / "text.txt").string();
  EXPECT_ERROR(make_run(s, Store(folder.path() / "runs"), {}, {}), "which has changed since");
}

TEST(Store, ASpecIsWrittenAnewWhereItsTextHasMoved) {
  const tests::TempFolder folder;
  const Store store(folder.path());
  RunSpec s = spec();
  s.settings.text = "/before.txt";
  store.add_spec(s);
  s.settings.text = "/after.txt";
  store.add_spec(s);
  const auto kept = base::read_json(store.spec_file(run_id(s)));
  EXPECT_EQ(kept["settings"]["text"], "/after.txt");
  for (const char* broken : {"{broken", "", "[1]", R"({"settings": 1})"}) {
    folder.write(run_id(s) + "/spec.json", broken);
    store.add_spec(s);
    EXPECT_EQ(base::read_json(store.spec_file(run_id(s))), kept) << broken;
  }
  // Two commands with workers of other threads do not write in turns.
  s.settings.threads = 3;
  store.add_spec(s);
  EXPECT_EQ(base::read_json(store.spec_file(run_id(s))), kept);
}

TEST(Store, ASpecIsLeftToWhoeverHoldsTheLockAndWhatAKilledWriterLeftGoes) {
  const tests::TempFolder folder;
  const Store store(folder.path());
  const std::string id = run_id(spec()), left = id + "/spec.json.1-a.tmp";
  store.add_spec(spec());
  folder.write(left, "half");
  folder.write(id + "/spec.json", "another's");
  {
    const RunLock theirs(store.folder(id));
    ASSERT_TRUE(theirs.held());
    store.add_spec(spec());
    EXPECT_EQ(folder.read(id + "/spec.json"), "another's");
  }
  store.add_spec(spec());
  EXPECT_EQ(base::read_json(store.spec_file(id)), to_json(spec()));
  EXPECT_FALSE(fs::exists(folder.path() / left));
}

TEST(Store, EveryBuildFindsItsOwnRecord) {
  const tests::TempFolder folder;
  const Store store(folder.path());
  store.add_spec(spec());
  store.save(record());
  RunRecord other = record();
  other.build.isa = "another";
  other.values.set("val_loss", 9);
  store.save(other);
  EXPECT_EQ(store.find(other.id)->value("val_loss"), 1.25) << "not made again for the other's sake";
}

// A default that changes makes two different runs one id, unless kNumerics is raised with it.
TEST(RunSpec, DefaultsAreThoseOfTheseNumerics) {
  EXPECT_EQ(kNumerics, 3);
  EXPECT_EQ(fingerprint(train::to_json(train::Settings{})), "08b8e1c9af354e9d18b9806239395e7a")
      << "a new setting: put the new hash here; a default that changed: raise kNumerics, too";
}

TEST(Json, DeepTextIsRefusedBeforeItRecurses) {
  const tests::TempFolder folder;
  folder.write("deep.json", std::string(200000, '[') + std::string(200000, ']'));
  EXPECT_ERROR(base::read_json(folder.path() / "deep.json"), "brackets deep");
  EXPECT_ERROR(base::read_json(folder.path()), "is a folder");
}

TEST(Json, BytesThatAreNoUtf8CostACharacterAndNotTheOutput) {
  const Json json = {{"na\xffme", {"a\xc3", base::ready("[1]")}}};
  EXPECT_EQ(base::json_text(json), "{\n  \"na\uFFFDme\": [\n    \"a\uFFFD\",\n    [1]\n  ]\n}\n");
  EXPECT_EQ(base::json_compact({{"a", "\xff"}}), "{\"a\":\"\uFFFD\"}");
}

TEST(StudyRuns, ARunInSecondsBelongsToItsFolder) {
  const tests::TempFolder folder;
  folder.write("text.txt", tests::small_text(4000));
  Study study;
  study.base.text = (folder.path() / "text.txt").string();
  study.base.budget = "1s";
  study.arms = {{"none", {}}, {"b", {{"dropout", "0.1"}}}};
  const auto id = [&](const char* out) {
    const StudyRuns runs(study, Store(folder.path() / "runs"), false, folder.path() / out);
    return runs.id(runs.points().front());
  };
  EXPECT_EQ(id("a"), id("a"));
  EXPECT_NE(id("a"), id("b"));
  study.base.budget = "10steps";
  EXPECT_EQ(id("a"), id("b"));
}

}  // namespace
}  // namespace lab
