// A run's folder: what belongs together stays together, and whoever reads it can tell.
#include "train/storage/run_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/expect_error.h"
#include "tests/limits.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/storage/checkpoint.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using tests::small_corpus;

class RunFilesTest : public testing::Test {
 protected:
  RunFilesTest() {
    params.declare("w", {3}, {engine::Init::Kind::kConstant, 2});
    params.allocate(1);
  }
  RunFiles begin(const std::string& name, const Settings& s, const Task& of) const {
    return {folder.path() / name, s, of, nlohmann::ordered_json::object()};
  }
  void make(const std::string& name, const Settings& s, const Task& of) const {
    const RunFiles files = begin(name, s, of);
    files.write_summary({{"status", "ok"}});
    files.write_weights(params);
  }
  std::string error(const std::string& name) const {
    return tests::error_of([&] { (void)read_run(folder.path() / name); });
  }
  void move(const std::string& from, const std::string& to) const {
    fs::copy_file(folder.path() / from, folder.path() / to, fs::copy_options::overwrite_existing);
  }

  const tests::TempFolder folder;
  const LanguageModelling task{small_corpus(300, 50)};
  engine::Params params;
  Settings settings;
};

TEST_F(RunFilesTest, KeepSettingsDataAndWeights) {
  settings.lr = 0.25;
  settings.seed = ~std::uint64_t{0};
  make("run", settings, task);
  const SavedRun run = read_run(folder.path() / "run");
  EXPECT_EQ(run.settings, settings);
  EXPECT_EQ(run.weights.at("w").f32(), std::vector<float>(3, 2.0F));
  EXPECT_EQ(run.data.task, "lm");
  EXPECT_EQ(run.data.hash, task.corpus().hash);
  EXPECT_EQ(run.data.encoding["tokenizer"], "char");
  EXPECT_EQ(run.data.encoding["pieces"].get<std::vector<std::string>>(), task.corpus().pieces());
  EXPECT_NO_THROW(require_same_data(run, task));
}

// Training again into a folder, stopped early: the old weights were taken for the new run's.
TEST_F(RunFilesTest, StaleFilesAreGoneBeforeTheNewOnesCome) {
  make("run", settings, task);
  folder.write("run/notes.txt", "mine");
  settings.n_layer = 2;
  begin("run", settings, task);
  EXPECT_FALSE(fs::exists(folder.path() / "run/model.safetensors"));
  EXPECT_FALSE(fs::exists(folder.path() / "run/summary.json"));
  EXPECT_EQ(folder.read("run/notes.txt"), "mine");
  EXPECT_NE(error("run").find("has no weights"), std::string::npos) << error("run");
  // The old run is whole where it was moved to, and an unfinished one does not push it away.
  EXPECT_EQ(read_run(folder.path() / "run/previous").settings, Settings{});
  begin("run", settings, task);
  EXPECT_EQ(read_run(folder.path() / "run/previous").settings, Settings{});
  make("run", settings, task);
  begin("run", Settings{}, task);
  EXPECT_EQ(read_run(folder.path() / "run/previous").settings, settings);
}

TEST_F(RunFilesTest, AnUnfinishedRunWithACheckpointIsRefused) {
  begin("run", settings, task);
  folder.write("run/checkpoint-000500.safetensors", "work");
  const auto before = folder.snapshot();
  EXPECT_ERROR(begin("run", settings, task), "holds an unfinished run (checkpoint-000500");
  EXPECT_EQ(folder.snapshot(), before);
  folder.write("run/config.json.1-a.tmp", "half");
  RunFiles(folder.path() / "run", settings, task, {}, true);
  EXPECT_FALSE(fs::exists(folder.path() / "run/checkpoint-000500.safetensors"));
  EXPECT_FALSE(fs::exists(folder.path() / "run/config.json.1-a.tmp"));
  // With its summary it has ended, also where it diverged and has no weights.
  folder.write("run/checkpoint-000500.safetensors", "work");
  folder.write("run/summary.json", "{}");
  EXPECT_NO_THROW(begin("run", settings, task));
  EXPECT_TRUE(checkpoints_in(folder.path() / "run").empty());
  // Of a whole run the checkpoint moves with it.
  make("run", settings, task);
  folder.write("run/checkpoint-000600.safetensors", "work");
  begin("run", settings, task);
  EXPECT_TRUE(fs::exists(folder.path() / "run/previous/checkpoint-000600.safetensors"));
}

// config.toml, tokenizer.json and the weights of a Hugging Face folder were replaced by a run's.
TEST_F(RunFilesTest, WhatIsNotOfARunIsNotReplaced) {
  for (const char* name :
       {"config.toml", "config.json", "data.json", "tokenizer.json", "tokenizer.model",
        "metrics.jsonl", "summary.json", "environment.json", "model.safetensors",
        "checkpoint-000001.safetensors", "events.out.tfevents.1.x"}) {
    for (const std::string where : {"mine/", "run/previous/"}) {
      fs::remove_all(folder.path() / "mine");
      fs::remove_all(folder.path() / "run");
      make("run", settings, task);
      folder.write(where + name, R"({"model_type": "gpt2", "n_layer": 2})");
      folder.write("mine/notes.txt", "mine");
      const auto before = folder.snapshot();
      const std::string into = where.substr(0, where.find('/'));
      EXPECT_ERROR(refuse_others(folder.path() / into, settings), std::string("holds a ") + name);
      EXPECT_EQ(folder.snapshot(), before);
      EXPECT_ERROR(RunFiles(folder.path() / into, settings, task, {}, true), "choose another");
      auto after = folder.snapshot();
      after.erase("mine/lock");
      EXPECT_EQ(after, before) << where << name;
    }
  }
  make("free", settings, task);
  folder.write("free/notes.txt", "mine");
  EXPECT_NO_THROW(refuse_others(folder.path() / "free", settings));
  EXPECT_NO_THROW(refuse_others(folder.path() / "not there", settings));
  // Nor a link to another folder in the place of the run before.
  fs::create_directory_symlink(folder.path() / "mine", folder.path() / "free/previous");
  EXPECT_ERROR(refuse_others(folder.path() / "free", settings), "is a link");
}

TEST_F(RunFilesTest, ATextAmongTheFilesOfTheRunIsNotMovedAway) {
  make("run", settings, task);
  settings.val = (folder.path() / "run" / "metrics.jsonl").string();
  folder.write("run/metrics.jsonl", "{}");
  EXPECT_ERROR(begin("run", settings, task), "is a file of the run in --out");
  settings.val = folder.write("run/val.txt", "text").string();
  EXPECT_NO_THROW(begin("run", settings, task));
}

// Whatever stops it, the folder of the run before is known as isodrop's.
TEST_F(RunFilesTest, AMoveThatWasCutShortIsNobodyElsesRun) {
  make("run", settings, task);
  fs::create_directory(folder.path() / "run/previous");
  move("run/config.json", "run/previous/config.json");
  fs::rename(folder.path() / "run/model.safetensors",
             folder.path() / "run/previous/model.safetensors");
  EXPECT_NO_THROW(make("run", settings, task));
  EXPECT_NO_THROW(make("run", settings, task));
  EXPECT_EQ(read_run(folder.path() / "run/previous").settings, settings);
}

TEST_F(RunFilesTest, AFolderIsOneProcesses) {
  const RunFiles first = begin("run", settings, task);
  EXPECT_ERROR(begin("run", settings, task), "another process is training there");
  EXPECT_ERROR(lock_run(folder.path() / "run"), "another process is training there");
}

TEST_F(RunFilesTest, TheLogOfLaterStepsIsDroppedBeforeItGoesOn) {
  begin("run", settings, task);
  const fs::path path = folder.path() / "run";
  const auto go_on = [&](const std::string& log) {
    folder.write("run/metrics.jsonl", log);
    RunFiles files(lock_run(path), path, task, 7);
    Progress p;
    p.step = 8;
    files.metrics().progress(p);
    return folder.read("run/metrics.jsonl");
  };
  const std::string five = "{\"step\":5,\"x\":1.50}\n", seven = "{\"step\":7}\n",
                    nine = "{\"step\":9}\n";
  const std::string eight = go_on("");
  EXPECT_TRUE(eight.starts_with("{\"step\":8,")) << eight;
  EXPECT_EQ(go_on(five + seven + nine), five + seven + eight);
  EXPECT_EQ(go_on(five + seven.substr(0, seven.size() - 1)), five + eight) << "not to its end";
  EXPECT_EQ(go_on(five + nine + "{\"ste"), five + eight);
  EXPECT_ERROR(go_on(five + "{\"ste\n" + nine), "metrics.jsonl: line 2: not valid JSON");
  EXPECT_ERROR(go_on("{\"step\":\"x\"}\n"), "line 1: has no whole number 'step'");
  EXPECT_ERROR(go_on("[]\n"), "line 1: has no whole number 'step'");
}

TEST_F(RunFilesTest, AFullDiskDelaysLinesAndLosesNone) {
  std::vector<std::string> notes;
  const fs::path path = folder.path() / "lines";
  {
    base::LineFile file(path, /*append=*/false,
                        [&](const std::string& note) { notes.push_back(note); });
    file.write("first line\n");
    {
      const tests::FullDisk full(15);
      file.write("second line\n");  // a part of it fits
      file.write("third line\n");
    }
    EXPECT_EQ(folder.read("lines"), "first line\nseco");
    ASSERT_EQ(notes.size(), 1U) << "it is said once";
    EXPECT_NE(notes[0].find("cannot write " + path.string() + ": File too large; the run continues"),
              std::string::npos)
        << notes[0];
    file.write("fourth line\n");
    EXPECT_EQ(folder.read("lines"), "first line\nsecond line\nthird line\nfourth line\n");
    ASSERT_EQ(notes.size(), 2U);
    EXPECT_NE(notes[1].find("complete again"), std::string::npos) << notes[1];
    const tests::FullDisk full(60);
    file.write("and the last one\n");
    EXPECT_EQ(notes.size(), 3U);
  }
  EXPECT_EQ(folder.read("lines"),
            "first line\nsecond line\nthird line\nfourth line\nand the last one\n")
      << "closing tries once more";
  EXPECT_EQ(notes.size(), 3U);
}

TEST_F(RunFilesTest, AFullDiskDelaysTheLinesOfAFileThatIsNotThereYet) {
  base::AtomicFile file(folder.path() / "lines");
  {
    const tests::FullDisk full(4);
    file.write("first line\n");
    file.flush();
    file.write("second line\n");
    file.flush();
  }
  EXPECT_FALSE(fs::exists(folder.path() / "lines"));
  file.commit();
  EXPECT_EQ(folder.read("lines"), "first line\nsecond line\n");
  const tests::FullDisk full(4);
  base::AtomicFile large(folder.path() / "large");
  EXPECT_ERROR(large.write(std::string(2 << 20, ' ')), "File too large; raise the limit");
  EXPECT_ERROR(large.commit(), "File too large");  // what is missing is not forgotten
  EXPECT_ERROR(base::write_atomically(folder.path() / "lines", "another text"), "File too large");
  EXPECT_EQ(folder.read("lines"), "first line\nsecond line\n");
}

TEST_F(RunFilesTest, AFolderThatCannotBeLookedIntoIsNotAnEmptyOne) {
  make("run", settings, task);
  const auto before = folder.snapshot();
  std::string said;
  {
    const tests::NoDescriptors none;
    said = tests::error_of([&] { refuse_unfinished(folder.path() / "run"); });
  }
  EXPECT_NE(said.find("Too many open files"), std::string::npos) << said;
  EXPECT_EQ(folder.snapshot(), before);
}

TEST_F(RunFilesTest, FlagsAreKeptAndNotTrusted) {
  make("run", settings, task);
  const fs::path run = folder.path() / "run";
  EXPECT_EQ(read_flags(run).dump(), "{}") << "of an older run";
  for (const char* wrong : {"[]", R"({"log": 1})", "{"}) {
    folder.write("run/flags.json", wrong);
    EXPECT_ERROR(read_flags(run), "flags.json");
  }
  folder.write("run/flags.json", R"({"log": "jsonl"})");
  EXPECT_EQ(read_flags(run)["log"], "jsonl");
  const RunFiles fresh = begin("run", settings, task);
  EXPECT_EQ(read_flags(run).dump(), "{}") << "another run's";
  fresh.write_flags({{"log", "tensorboard"}});
  EXPECT_EQ(read_flags(run)["log"], "tensorboard");
}

TEST_F(RunFilesTest, OtherSettingsMoveTheResultOfTheOldOnesAside) {
  make("run", settings, task);
  make("older", settings, task);
  fs::create_directory(folder.path() / "run/previous");
  move("older/config.json", "run/previous/config.json");
  folder.write("run/previous/model.safetensors", "older");
  folder.write("run/previous/checkpoint-000001.safetensors", "older");
  Settings longer = settings;
  longer.budget = "4000steps";
  change_settings(folder.path() / "run", longer);
  EXPECT_EQ(read_begun(folder.path() / "run").settings, longer);
  EXPECT_NE(error("run").find("has no weights"), std::string::npos) << error("run");
  EXPECT_TRUE(read_summary(folder.path() / "run").is_null());
  EXPECT_EQ(read_run(folder.path() / "run/previous").settings, settings);
  EXPECT_EQ(read_summary(folder.path() / "run/previous")["status"], "ok");
  EXPECT_TRUE(checkpoints_in(folder.path() / "run/previous").empty());
}

TEST_F(RunFilesTest, FilesOfTwoRunsAreNoRun) {
  Settings other = settings;
  other.dropout = 0.1;
  make("a", settings, task);
  make("b", other, task);
  EXPECT_EQ(error("a"), "");
  for (const char* file : {"/model.safetensors", "/config.json"}) {
    make("mixed", settings, task);
    move("b" + std::string(file), "mixed" + std::string(file));
    EXPECT_NE(error("mixed").find("does not belong to the run"), std::string::npos) << file;
  }
  make("other data", settings, LanguageModelling(small_corpus(301, 50)));
  make("mixed", settings, task);
  move("other data/data.json", "mixed/data.json");
  EXPECT_NE(error("mixed").find("does not belong to the run"), std::string::npos);
  make("mixed", settings, task);
  write_safetensors(folder.path() / "mixed/model.safetensors", params, {});
  EXPECT_NE(error("mixed").find("does not belong to the run"), std::string::npos) << "weights of nobody";
}

TEST_F(RunFilesTest, ChangedDataAreNoticed) {
  make("run", settings, task);
  const SavedRun run = read_run(folder.path() / "run");
  data::Corpus corpus = small_corpus(300, 50);
  std::vector<std::int32_t> ids(corpus.train.begin(), corpus.train.end());
  std::swap(ids[0],
            *std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id != ids[0]; }));
  corpus.train = ids;
  corpus.hash = data::hash_corpus(corpus);
  const LanguageModelling edited(corpus);
  EXPECT_NO_THROW(require_same_encoding(run, edited));
  EXPECT_ERROR(require_same_data(run, edited), "these are not the data it was trained on");
  const std::string text = tests::small_text(400) + "Q";  // one symbol more
  const data::Source source{text, "text"};
  corpus.codec = data::char_tokenizer({&source, 1});
  corpus.hash = data::hash_corpus(corpus);
  const LanguageModelling wider(corpus);
  EXPECT_ERROR(require_same_encoding(run, wider), "another vocabulary");
  EXPECT_ERROR(require_same_data(run, wider), "another vocabulary");
  corpus = small_corpus(300, 50);
  corpus.tokenizer = "byte";
  EXPECT_ERROR(require_same_encoding(run, LanguageModelling(corpus)), "another vocabulary");
}

// Bytes that are no text by themselves are kept as numbers.
TEST_F(RunFilesTest, PiecesThatAreNoTextAreKept) {
  const std::string text = "a\xff\x80z a\xff\x80z";
  const data::Source source{text, "text"};
  data::Corpus corpus;
  corpus.tokenizer = "byte";
  corpus.codec = data::byte_tokenizer({&source, 1});
  corpus.vocab = corpus.codec->vocab();
  corpus.train = corpus.val.ids = corpus.codec->encode(text);
  corpus.hash = data::hash_corpus(corpus);
  const LanguageModelling bytes(corpus);
  make("run", settings, bytes);
  const SavedRun run = read_run(folder.path() / "run");
  EXPECT_EQ(run.data.encoding["pieces"].dump(), R"([" ","a","z",[128],[255]])");
  EXPECT_NO_THROW(require_same_data(run, bytes));
}

TEST_F(RunFilesTest, DataFilesAreNotTrusted) {
  const auto said = [&](const std::string& data) {
    make("run", settings, task);
    folder.write("run/data.json", data);
    return error("run");
  };
  const auto expect = [&](const std::string& data, const char* part) {
    EXPECT_NE(said(data).find(part), std::string::npos) << data << ": " << said(data);
  };
  const std::string hash(32, 'a');
  expect("{", "not valid JSON");
  expect("[]", "has no text 'task'");
  expect(R"({"task":"lm"})", "has no text 'hash'");
  expect(R"({"task":"lm","hash":"x"})", "is not 32 hex digits");
  expect(R"({"task":"lm","hash":")" + hash + R"("})", "has no object 'encoding'");
  expect(R"({"task":"lm","hash":")" + hash + R"(","encoding":{}})", "does not belong to the run");
  expect(R"({"task":"lm","task":"lm"})", "the key 'task' is repeated");
  make("run", settings, task);
  fs::remove(folder.path() / "run/data.json");
  EXPECT_NE(error("run").find("no data.json"), std::string::npos);
  EXPECT_ERROR(require_same_encoding(BegunRun{"f", {}, {"other", "", {}}}, task),
               "was trained on the task 'other', not on 'lm'");
}

}  // namespace
}  // namespace train
