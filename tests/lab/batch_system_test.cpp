// Lists of specs and who takes which, what scripts ask engines for, and runs of other stores.
#include "lab/batch/batch_system.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "lab/batch/plan.h"
#include "lab/batch/spec_list.h"
#include "lab/runs/verify.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace lab {
namespace {

using tests::TempFolder;
namespace fs = std::filesystem;

RunSpec spec_of(std::uint64_t seed) {
  RunSpec spec;
  spec.settings.seed = seed;
  spec.data = "0123456789abcdef0123456789abcdef";
  return spec;
}

RunRecord record_of(std::uint64_t seed, double loss, const Build& build = this_build()) {
  RunRecord record;
  record.id = run_id(spec_of(seed));
  record.seed = seed;
  record.build = build;
  record.machine = {"a CPU", 2};
  record.values = {{"val_loss", loss}, {"seconds", loss}};
  record.val_windows = {static_cast<float>(loss), static_cast<float>(loss)};
  return record;
}

Build another_build() {
  Build build = this_build();
  build.compiler = "another";
  return build;
}

void keep(const Store& store, const RunRecord& record) {
  store.add_spec(spec_of(record.seed));
  store.save(record);
}

TEST(Missing, OneIsSingular) {
  MissingRuns m;
  m.runs = 1;
  m.missing = {{"0a1b", "none"}};
  m.other_builds = {{"x", 1}};
  EXPECT_EQ(render_text(m).substr(0, 30), "0 of 1 run is done, 1 missing\n");
  EXPECT_NE(render_text(m).find("1 of the missing runs is there from another build (x)"),
            std::string::npos);
  m.runs = 3;
  m.tuning = true;
  EXPECT_EQ(render_text(m).substr(0, 40), "2 of 3 tuning runs are done, 1 missing\n ");
}

TEST(SpecList, IsReadFromItsOwnFolderEachRunOnce) {
  const TempFolder folder;
  for (const std::uint64_t seed : {1, 2})
    base::write_json(folder.path() / ("s" + std::to_string(seed) + ".json"),
                     to_json(spec_of(seed)));
  folder.write("list.txt", "s1.json\r\n\n  s2.json\ns1.json");
  const auto specs = read_spec_list(folder.path() / "list.txt");
  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].id, run_id(spec_of(1)));
  EXPECT_EQ(specs[1].spec.settings.seed, 2U);
  EXPECT_EQ(specs[1].file, folder.path() / "s2.json");

  folder.write("bad.txt", "s1.json\n\nlist.txt\n");
  EXPECT_ERROR(read_spec_list(folder.path() / "bad.txt"), "bad.txt:3: ");
  folder.write("empty.txt", "\n \n");
  EXPECT_ERROR(read_spec_list(folder.path() / "empty.txt"), "names no spec");
  EXPECT_ERROR(read_spec_list(folder.path() / "none.txt"), "no such file");
}

TEST(SpecList, PartsAreReadAndRefused) {
  EXPECT_EQ(parse_part("0/1", "--part"), (Part{0, 1}));
  EXPECT_EQ(parse_part("3/8", "--part"), (Part{3, 8}));
  for (const char* wrong :
       {"", "3", "8/8", "0/0", "-1/8", "1/8/2", "1 /8", "a/b", "/", "1/99999999999999999999999"})
    EXPECT_ERROR(parse_part(wrong, "--part"), "--part ");
}

TEST(SpecList, TheRankIsThatOfWhoStartedUs) {
  const std::vector<const char*> names = {
      "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
      "SLURM_PROCID",         "SLURM_NTASKS"};
  for (const char* name : names) unsetenv(name);
  EXPECT_EQ(part_of_environment(), std::nullopt);
  const char* values[] = {"3", "4", "1", "2", "5", "6"};
  for (const std::size_t i : {4, 2, 0}) {  // the later ones say more
    setenv(names[i], values[i], 1);
    EXPECT_NE(part_of_environment(), (Part{std::stoul(values[i]), std::stoul(values[i + 1])}))
        << "a rank without a size is none";
    setenv(names[i + 1], values[i + 1], 1);
    EXPECT_EQ(part_of_environment(), (Part{std::stoul(values[i]), std::stoul(values[i + 1])}));
  }
  setenv("OMPI_COMM_WORLD_RANK", "4", 1);
  EXPECT_ERROR(part_of_environment(), "OMPI_COMM_WORLD_RANK");
  for (const char* name : names) unsetenv(name);
}

TEST(SpecList, PartsCoverEveryPlaceOnceAndHelpersEndWithWhatOwnersBegin) {
  for (const std::size_t size : {0, 1, 2, 7, 12})
    for (const std::size_t count : {1, 2, 3, 5, 20}) {
      std::multiset<std::size_t> own;
      for (std::size_t index = 0; index < count; ++index) {
        const auto mine = places(size, {index, count}, false);
        own.insert(mine.begin(), mine.end());
        const auto all = places(size, {index, count}, true);
        EXPECT_EQ(all.size(), size);
        EXPECT_EQ(std::set<std::size_t>(all.begin(), all.end()).size(), size);
        EXPECT_TRUE(std::equal(mine.begin(), mine.end(), all.begin()));
      }
      EXPECT_EQ(own.size(), size);
      EXPECT_EQ(std::set<std::size_t>(own.begin(), own.end()).size(), size);
    }
  EXPECT_EQ(places(7, {1, 3}, true), (std::vector<std::size_t>{1, 4, 5, 2, 6, 3, 0}));
}

TEST(Engines, SlurmIsAskedForWhatADryRunSaysAndMore) {
  BatchWork work;
  work.program = "/opt/it's/isodrop";
  work.folder = "/plan";
  work.list = "specs-ab.txt";
  work.store = "/the store";
  work.flags = " --keep-weights";
  work.runs = 2500;
  work.threads = 4;
  work.seconds = 600;
  work.bytes = 1 << 30;
  const std::string script = batch_system("slurm").script(work);
  const auto has = [&](const std::string& line) {
    EXPECT_NE(("\n" + script).find("\n" + line + "\n"), std::string::npos) << line << "\n"
                                                                           << script;
  };
  has("#!/bin/bash");
  has("#SBATCH --array=0-999");
  has("#SBATCH --cpus-per-task=4");
  has("#SBATCH --mem=1536M");        // 1.25 x 1 GB + 256 MB
  has("#SBATCH --time=0-01:05:00");  // 3 runs a task x 10 min x 2 + 5 min
  has("#SBATCH --requeue");
  has("cd -- '/plan' || exit");
  has("isodrop=${ISODROP:-'/opt/it'\\''s/isodrop'}");
  has("exec \"$isodrop\" run --list 'specs-ab.txt' --store '/the store' --threads \"$threads\" "
      "--keep-weights --part \"$SLURM_ARRAY_TASK_ID/1000\"");
  work.runs = 1;
  EXPECT_NE(batch_system("slurm").script(work).find("--array=0-0\n"), std::string::npos);
  work.folder = "/50%";
  EXPECT_ERROR(batch_system("slurm").script(work), "--plan");
  work.folder = "/a\nb";
  for (const BatchSystem& system : batch_systems())
    EXPECT_ERROR(system.script(work), "choose another");
  work.folder = "/a{}";
  EXPECT_ERROR(batch_system("parallel").script(work), "bracket");
  EXPECT_ERROR(batch_system("slrum"), "--engine 'slrum': did you mean 'slurm'?");
}

TEST(Engines, TimesAreWholeMinutesAsSlurmReadsThem) {
  EXPECT_EQ(slurm_time(1), "0-00:01:00");
  EXPECT_EQ(slurm_time(60), "0-00:01:00");
  EXPECT_EQ(slurm_time(61), "0-00:02:00");
  EXPECT_EQ(slurm_time(86400 + 2 * 3600 + 30), "1-02:01:00");
}

TEST(Engines, NeedsAreThoseOfTheLongestRunThatIsMissing) {
  DryRun plan;
  plan.study = true;
  plan.jobs = {4, 8, 2, ""};
  for (const double seconds : {10.0, 40.0, 1000.0}) {
    RunEstimate& arm = plan.arms.emplace_back();
    arm.training_seconds = seconds;
    arm.memory.parameters = static_cast<std::size_t>(seconds) << 20;
  }
  plan.missing = {{0, 1}, {1, 0.5}};  // nothing of the third
  BatchWork work;
  add_needs(work, plan);
  EXPECT_EQ(work.threads, 2);
  EXPECT_EQ(work.at_once, 4);
  EXPECT_EQ(work.seconds, 40) << "20 s alone, four at once twice as fast together";
  EXPECT_EQ(work.bytes, static_cast<double>(plan.arms[1].memory.total()));
}

class TakeUp : public testing::Test {
 protected:
  TempFolder folder;
  Store here{folder.path() / "here"}, there{folder.path() / "there"};
  std::map<std::string, std::string> content() const { return folder.snapshot(); }
};

TEST_F(TakeUp, WholeRunsComeWithWhatTheyHave) {
  keep(there, record_of(1, 2));
  keep(there, record_of(2, 3));
  there.add_spec(spec_of(3));  // planned, not made
  const std::string id = run_id(spec_of(1));
  folder.write("there/" + id + "/metrics.jsonl", "{\"step\": 1}\n");
  folder.write("there/" + id + "/model.safetensors", "weights");
  folder.write("there/" + id + "/metrics.jsonl.1-a.tmp", "{");
  const auto all = take_up(here, there.root());
  EXPECT_EQ(all.taken, 2U);
  EXPECT_TRUE(all.refused.empty());
  EXPECT_EQ(folder.read("here/" + id + "/model.safetensors"), "weights");
  EXPECT_EQ(folder.read("here/" + id + "/metrics.jsonl"), "{\"step\": 1}\n");
  EXPECT_EQ(folder.read("here/" + id + "/record.json"),
            folder.read("there/" + id + "/record.json"));
  EXPECT_FALSE(fs::exists(here.folder(run_id(spec_of(3)))));
  EXPECT_FALSE(fs::exists(here.folder(id) / "metrics.jsonl.1-a.tmp"));
  const auto before = content();
  const auto again = take_up(here, there.root());
  EXPECT_EQ(again.taken, 0U);
  EXPECT_EQ(again.there, 2U);
  EXPECT_EQ(content(), before);
}

// Of a store that somebody else has made, links would take along whatever they lead to.
TEST_F(TakeUp, LinksAreNotFollowed) {
  keep(there, record_of(1, 2));
  keep(there, record_of(2, 3));
  const std::string one = run_id(spec_of(1)), two = run_id(spec_of(2));
  folder.write("secret", "mine");
  fs::create_symlink(folder.path() / "secret", there.folder(one) / "model.safetensors");
  fs::rename(there.folder(two), folder.path() / "moved");
  fs::create_directory_symlink(folder.path() / "moved", there.folder(two));
  const auto all = take_up(here, there.root());
  EXPECT_EQ(all.taken, 0U);
  ASSERT_EQ(all.refused.size(), 2U);
  for (const std::string& why : all.refused) tests::expect_has(why, "is a link");
  EXPECT_FALSE(fs::exists(here.weights_file(one)));
  EXPECT_FALSE(fs::exists(here.record_file(one)));
  EXPECT_FALSE(fs::exists(here.folder(two)));
}

TEST_F(TakeUp, NothingHereIsReplaced) {
  RunRecord slow = record_of(1, 2);  // the same result in another time, by another machine
  slow.values.set("seconds", 99);
  slow.machine = {"another", 8};
  keep(here, record_of(1, 2));
  keep(there, slow);
  keep(here, record_of(2, 2));
  keep(there, record_of(2, 2.5));  // another result
  RunRecord windows = record_of(3, 2);
  keep(here, windows);
  windows.val_windows[1] = 2.5F;
  keep(there, windows);
  keep(here, record_of(4, 2));
  keep(there, record_of(4, 2.5, another_build()));
  auto before = content();
  const auto all = take_up(here, there.root());
  EXPECT_EQ(all.taken, 0U);
  EXPECT_EQ(all.there, 1U);
  EXPECT_EQ(all.other_build, 1U);
  ASSERT_EQ(all.refused.size(), 2U);
  for (const std::string& why : all.refused)
    EXPECT_NE(why.find("another result"), std::string::npos) << why;
  EXPECT_EQ(content(), before);
}

TEST_F(TakeUp, OfTwoBuildsThisOnesIsWanted) {
  keep(here, record_of(1, 2, another_build()));
  keep(there, record_of(1, 2.5));
  keep(there, record_of(2, 3, another_build()));  // nobody has it here
  EXPECT_EQ(take_up(here, there.root()).taken, 2U);
  EXPECT_EQ(here.find(run_id(spec_of(1)))->value("val_loss"), 2.5);
  EXPECT_TRUE(
      fs::exists(here.folder(run_id(spec_of(1))) / ("record-" + another_build().key() + ".json")));
  EXPECT_EQ(here.find(run_id(spec_of(2)))->build, another_build());
}

TEST_F(TakeUp, WhatIsNotWholeOrNotItsOwnIsRefusedAlone) {
  keep(there, record_of(1, 2));
  RunRecord other_seed = record_of(2, 2);
  keep(there, other_seed);
  other_seed.seed = 7;
  base::write_json(there.record_file(other_seed.id), to_stored_json(other_seed));
  keep(there, record_of(3, 2));
  const std::string cut = folder.read("there/" + run_id(spec_of(3)) + "/record.json");
  folder.write("there/" + run_id(spec_of(3)) + "/record.json", cut.substr(0, cut.size() / 2));
  keep(there, record_of(4, 2));
  base::write_json(there.spec_file(run_id(spec_of(4))), to_json(spec_of(5)));
  keep(there, record_of(6, 2));
  fs::create_directories(here.folder(run_id(spec_of(6))));
  const RunLock held(here.folder(run_id(spec_of(6))));
  const auto all = take_up(here, there.root());
  EXPECT_EQ(all.taken, 1U);
  EXPECT_EQ(all.refused.size(), 4U);
  for (const std::uint64_t seed : {2, 3, 4, 6}) {
    const std::string id = run_id(spec_of(seed));
    EXPECT_FALSE(here.find(id)) << seed;
    EXPECT_TRUE(std::any_of(all.refused.begin(), all.refused.end(), [&](const std::string& why) {
      return why.starts_with("run " + id);
    })) << seed;
  }
  EXPECT_ERROR(take_up(here, folder.path() / "nowhere"), "no store is there");
  EXPECT_ERROR(take_up(here, here.root()), "this store itself");
}

}  // namespace
}  // namespace lab
