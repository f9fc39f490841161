// What is in a store, what differs, and what may go.
#include "lab/runs/survey.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "base/files.h"
#include "lab/report/pages.h"
#include "lab/runs/make.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kData = "0123456789abcdef0123456789abcdef";
constexpr const char* kLine =
    R"({"step":13,"tokens":104.0,"flops":9e9,"seconds":0.3,"train_loss":3.5,"val_loss":2.5,"lr":1})";

class Survey : public testing::Test {
 protected:
  RunSpec spec(double dropout, std::uint64_t seed = 1) const {
    RunSpec s{{}, kData};
    s.settings.dropout = dropout;
    s.settings.seed = seed;
    return s;
  }
  /// Its id. With its record where `done`.
  std::string add(const RunSpec& s, bool done = true, double loss = 1.25) const {
    const std::string id = run_id(s);
    store.add_spec(s);
    if (!done) return id;
    RunRecord r;
    r.id = id, r.seed = s.settings.seed, r.build = this_build(), r.machine = {"a CPU", 2};
    r.values = {{"val_loss", loss}, {"steps", 100}};
    store.save(r);
    folder.write("runs/" + id + "/metrics.jsonl", std::string(kLine) + "\n");
    return id;
  }
  std::map<std::string, RunState> states() const {
    std::map<std::string, RunState> out;
    for (const SurveyedRun& run : survey(store)) out[run.id] = run.state;
    return out;
  }
  const tests::TempFolder folder;
  const Store store{folder.path() / "runs"};
};

TEST_F(Survey, TellsStatesApartAndChangesNothing) {
  EXPECT_ERROR(survey(store), "no store is there");
  const std::string done = add(spec(0)), planned = add(spec(0.1), false),
                    stopped = add(spec(0.2), false), made = add(spec(0.3), false),
                    broken = add(spec(0.4)), moved(32, 'a'), bare(32, 'b');
  folder.write("runs/" + stopped + "/metrics.jsonl.1-ab.tmp",
               std::string(kLine) + "\n{\"step\":14,\"fl");
  folder.write("runs/" + broken + "/record.json", "{}");
  folder.write("runs/" + moved + "/spec.json", folder.read("runs/" + done + "/spec.json"));
  folder.write("runs/" + bare + "/record.json.5.tmp", "");
  folder.write("runs/notes.txt", "mine");
  folder.write("runs/looks/x.json", "{}");
  const RunLock lock(store.folder(made));
  const auto before = folder.snapshot();
  const auto all = states();
  EXPECT_EQ(all.size(), 7U);
  EXPECT_EQ(all.at(done), RunState::kDone);
  EXPECT_EQ(all.at(planned), RunState::kPlanned);
  EXPECT_EQ(all.at(stopped), RunState::kStopped);
  EXPECT_EQ(all.at(made), RunState::kMade);
  EXPECT_EQ(all.at(broken), RunState::kBroken);
  EXPECT_EQ(all.at(moved), RunState::kBroken);
  EXPECT_EQ(all.at(bare), RunState::kBroken);
  EXPECT_EQ(find_run(store, stopped).step, 13) << "of the last line that is whole";
  EXPECT_EQ(find_run(store, done).record->value("val_loss"), 1.25);
  EXPECT_GT(find_run(store, done).bytes, 100U);
  EXPECT_EQ(folder.snapshot(), before);
}

TEST_F(Survey, FindsByTheBeginning) {
  const std::string a = add(spec(0)), b = add(spec(0.1));
  EXPECT_EQ(find_run(store, a).id, a);
  std::size_t same = 0;
  while (a[same] == b[same]) ++same;
  EXPECT_EQ(find_run(store, a.substr(0, same + 1)).id, a);
  EXPECT_ERROR(find_run(store, a.substr(0, same)), same == 0 ? "" : "runs begin like that");
  EXPECT_ERROR(find_run(store, ""), "isodrop runs ls");
  EXPECT_ERROR(find_run(store, "xyz"), "run 'xyz': not in");
}

TEST_F(Survey, SaysWhatDiffers) {
  const auto a = find_run(store, add(spec(0.5))), b = find_run(store, add(spec(0, 7), true, 2.5));
  const auto settings = settings_that_differ(a, b);
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[0].name, "dropout");
  EXPECT_EQ(settings[0].first, "0.5");
  EXPECT_EQ(settings[0].second, "0");
  EXPECT_EQ(settings[1].name, "seed");
  const auto values = values_that_differ(a, b);
  ASSERT_EQ(values.size(), 1U);
  EXPECT_EQ(values[0].name, "val_loss");
  EXPECT_EQ(values[0].first, "1.25");
  EXPECT_EQ(values[0].second, "2.5");
  EXPECT_TRUE(settings_that_differ(a, a).empty() && values_that_differ(a, a).empty());
  EXPECT_EQ(regime(a.spec->settings),
            (std::vector<std::pair<std::string, std::string>>{{"dropout", "0.5"}}));
}

TEST_F(Survey, RemovesWhatIsAskedForAndNothingThatIsBeingMade) {
  const std::string a = add(spec(0)), b = add(spec(0.1));
  const auto before = folder.snapshot();
  {
    const RunLock lock(store.folder(a));
    EXPECT_ERROR(remove_run(store, a), "a process is making it");
  }
  EXPECT_EQ(folder.snapshot(), before);
  EXPECT_GT(remove_run(store, a).bytes, 100U);
  EXPECT_EQ(states(), (std::map<std::string, RunState>{{b, RunState::kDone}}));
}

TEST_F(Survey, GarbageIsWhatKilledProcessesLeft) {
  const std::string done = add(spec(0)), planned = add(spec(0.1), false),
                    stopped = add(spec(0.2), false), made = add(spec(0.3), false), bare(32, 'b');
  folder.write("runs/" + done + "/model.safetensors.7.tmp", "12345");
  folder.write("runs/" + stopped + "/metrics.jsonl.1-ab.tmp", "1");
  folder.write("runs/" + made + "/metrics.jsonl.2-ab.tmp", "1");
  folder.write("runs/" + bare + "/spec.json.5.tmp", "");
  const std::string record = folder.read("runs/" + done + "/record.json");
  const RunLock lock(store.folder(made));
  std::map<std::string, std::uintmax_t> gone;
  for (const Removed& r : collect_garbage(store, false)) gone[r.path.filename()] = r.bytes;
  EXPECT_EQ(gone, (std::map<std::string, std::uintmax_t>{
                      {"model.safetensors.7.tmp", 5}, {"metrics.jsonl.1-ab.tmp", 1}, {bare, 0}}));
  EXPECT_TRUE(fs::exists(store.folder(made) / "metrics.jsonl.2-ab.tmp"));
  EXPECT_EQ(folder.read("runs/" + done + "/record.json"), record);
  EXPECT_EQ(states(), (std::map<std::string, RunState>{{done, RunState::kDone},
                                                       {planned, RunState::kPlanned},
                                                       {stopped, RunState::kPlanned},
                                                       {made, RunState::kMade}}));
  EXPECT_TRUE(collect_garbage(store, false).empty());
  EXPECT_EQ(collect_garbage(store, true).size(), 2U) << "planned and stopped";
  EXPECT_EQ(states(),
            (std::map<std::string, RunState>{{done, RunState::kDone}, {made, RunState::kMade}}));
}

TEST_F(Survey, CurvesOfAnyRunsOnOnePage) {
  const std::string id = add(spec(0.5));
  folder.write("out/metrics.jsonl", std::string(kLine) + "\n" + kLine + "\n{\"step\":");
  base::write_json(folder.path() / "out/config.json", train::to_json(train::Settings{}));
  const std::string out = (folder.path() / "out").string();
  const CurveOfRun a = curve_of_run(id.substr(0, 8), store), b = curve_of_run(out, store);
  EXPECT_EQ(a.name, id.substr(0, 12));
  EXPECT_EQ(a.regime, "dropout=0.5");
  EXPECT_EQ(a.points.size(), 1U);
  EXPECT_EQ(b.points.size(), 2U) << "the line that is being written is left out";
  const Page page = curves_page({a, b});
  ASSERT_EQ(page.sections.size(), 1U);
  ASSERT_EQ(page.sections[0].table.size(), 3U);
  EXPECT_EQ(page.sections[0].table[1].size(), page.sections[0].table[0].size());
  ASSERT_EQ(page.sections[0].pictures.size(), 2U);
  EXPECT_EQ(page.sections[0].pictures[0].series.size(), 4U);
  EXPECT_FALSE(page.facts.empty()) << "it is not known what the folder's run learned from";
  folder.write("back/metrics.jsonl", R"({"step":1,"flops":1e9,"train_loss":3.5,"val_loss":1.5})"
                                     "\n"
                                     R"({"step":2,"flops":2e9,"train_loss":2.25,"val_loss":2.5})"
                                     "\n");
  const std::string back = (folder.path() / "back").string();
  EXPECT_EQ(curves_page({curve_of_run(back, store)}).sections[0].table[1],
            (std::vector<std::string>{back, "–", "–", "–", "2", "2.2500", "2.5000", "1.5000", "–"}))
      << "its last losses, and the best on the way";
  EXPECT_ERROR(curve_of_run((folder.path() / "runs").string(), store), "holds no metrics.jsonl");
  EXPECT_ERROR(curve_of_run("no/such", store), "no such folder");
  EXPECT_ERROR(curve_of_run("xyz", store), "not in");
  folder.write("empty/metrics.jsonl", "");
  EXPECT_ERROR(curve_of_run((folder.path() / "empty").string(), store), "has reported nothing yet");
}

// Shared stores, in which others may put links, pipes and devices.
TEST_F(Survey, ALinkInThePlaceOfARunIsLeftAlone) {
  const std::string id = run_id(spec(0)), other = add(spec(0.1));
  folder.write("elsewhere/metrics.jsonl", "mine");
  folder.write("elsewhere/spec.json.1-a.tmp", "mine");
  fs::create_directory_symlink(folder.path() / "elsewhere", store.folder(id));
  const auto before = folder.snapshot();
  EXPECT_EQ(states(),
            (std::map<std::string, RunState>{{id, RunState::kBroken}, {other, RunState::kDone}}));
  EXPECT_TRUE(collect_garbage(store, true).empty());
  EXPECT_ERROR(remove_run(store, id), "is a link");
  EXPECT_ERROR(store.find(id), "is a link");
  EXPECT_ERROR(store.add_spec(spec(0)), "is a link");
  EXPECT_ERROR(make_run(spec(0), store, {}, {}), "is a link");
  EXPECT_EQ(folder.snapshot(), before);
}

TEST_F(Survey, WhatIsNoFileIsNotRead) {
  const std::string id = add(spec(0));
  const fs::path record = store.record_file(id), saved = folder.path() / "saved";
  const auto broken = [&](const fs::path& file, const std::string& why) {
    const SurveyedRun run = find_run(store, id);
    EXPECT_EQ(run.state, RunState::kBroken) << file;
    EXPECT_NE(run.broken.find(why), std::string::npos) << run.broken;
    fs::remove(file);
    fs::rename(saved, file);
  };
  for (const fs::path& file : {record, store.spec_file(id), store.folder(id) / "metrics.jsonl"}) {
    fs::rename(file, saved);
    ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
    broken(file, "is a pipe");
    fs::rename(file, saved);
    fs::create_symlink("/dev/zero", file);
    broken(file, "is a link");
    fs::rename(file, saved);
    fs::create_symlink(saved, file);  // as it was, but by a link
    broken(file, "is a link");
    fs::rename(file, saved);
    fs::create_directory(file);
    broken(file, "is a folder");
  }
  // Larger than any record is.
  fs::copy_file(record, saved);
  fs::resize_file(record, std::uintmax_t{1} << 40);
  broken(record, "is larger than");
  EXPECT_EQ(find_run(store, id).state, RunState::kDone);
  // A lock that is none: nobody has it, and nobody takes it.
  fs::remove(store.folder(id) / "lock");
  fs::create_symlink(folder.path() / "elsewhere", store.folder(id) / "lock");
  EXPECT_EQ(find_run(store, id).state, RunState::kDone);
  EXPECT_ERROR(remove_run(store, id), "is a link");
  EXPECT_FALSE(fs::exists(folder.path() / "elsewhere"));
}

}  // namespace
}  // namespace lab
