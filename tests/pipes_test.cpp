// Pipes in the place of files that somebody else may have put there: refused at once, for nobody
// may ever write to them. Each reader that opens a file in a folder, or by a path that a file
// names.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/table/table_file.h"
#include "data/text/text_files.h"
#include "data/text/tokens.h"
#include "data/tokenizer/byte_bpe.h"
#include "engine/tuning.h"
#include "lab/runs/make.h"
#include "lab/study/study_file.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "train/log/tensorboard.h"

namespace {

namespace fs = std::filesystem;

class Pipes : public testing::Test {
 protected:
  void SetUp() override { alarm(20); }  // what waits for a writer ends here, as a failure
  void TearDown() override { alarm(0); }
  std::string pipe(const std::string& name) const {
    fs::create_directories((folder.path() / name).parent_path());
    EXPECT_EQ(mkfifo((folder.path() / name).c_str(), 0600), 0);
    return folder.path() / name;
  }
  const tests::TempFolder folder;
};

TEST_F(Pipes, InTheFolderOfATokenizer) {
  const fs::path golden = fs::path(ISODROP_SOURCE_DIR) / "tests/golden/bpe";
  for (const char* name : {"vocab.json", "merges.txt", "added_tokens.json",
                           "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json"}) {
    const fs::path t = folder.path() / name;
    fs::create_directory(t);
    for (const char* file : {"vocab.json", "merges.txt"}) fs::copy_file(golden / file, t / file);
    EXPECT_FALSE(data::read_bpe(t).symbols.empty());
    fs::remove(t / name);
    const std::string at = pipe(std::string(name) + "/" + name);
    EXPECT_ERROR(data::read_bpe(t), "'" + at + "' is a pipe");
  }
  const std::string one = pipe("one/tokenizer.json");
  EXPECT_ERROR(data::read_bpe(folder.path() / "one"), "'" + one + "' is a pipe");
  EXPECT_ERROR(data::read_bpe(one), "'" + one + "' is a pipe");
  const data::Source text{"a text", "text"};
  const std::string model = pipe("t.model");
  EXPECT_ERROR(data::parse_tokenizer("sp:" + model).kind->make(model, {&text, 1}),
               "'" + model + "' is a pipe");
}

TEST_F(Pipes, AmongTexts) {
  folder.write("d/a.txt", "text");
  const std::string in = pipe("d/b.txt");
  EXPECT_EQ(data::read_text(folder.path() / "d"), "text") << "not a file of the folder";
  EXPECT_ERROR(data::read_text(folder.path() / "d/*.txt"), "'" + in + "' is a pipe");
  EXPECT_ERROR(data::read_table(folder.path() / "d/b*.txt", "y", false), "is a pipe");
  EXPECT_ERROR(data::map_tokens(pipe("ids.bin")), "is not a file that can be mapped");
}

TEST_F(Pipes, AmongTheFilesOfRunsAndStudies) {
  pipe("run/events.out.tfevents.0000000001.1.isodrop");
  for (const auto& entry : fs::directory_iterator(folder.path() / "run"))
    ASSERT_TRUE(entry.path().filename().string().starts_with(train::kEventsPrefix));
  EXPECT_ERROR(train::cut_events(folder.path() / "run", 1), "is a pipe");
  pipe("studies/a.toml");
  EXPECT_ERROR(lab::studies_in(folder.path() / "studies"), "a.toml: is a pipe");
  const engine::Tuning tuning(pipe("tuning.tsv"));
  tuning.keep("key", "word");
  EXPECT_EQ(tuning.recall("key"), std::nullopt);
}

// Of settings that a person gives a pipe is read; those of a file that somebody sent are not.
TEST_F(Pipes, AsTheDataThatAFileNames) {
  const std::string at = pipe("text");
  for (std::string train::Settings::*data : {&train::Settings::text, &train::Settings::val,
                                             &train::Settings::test, &train::Settings::csv}) {
    train::Settings s;
    s.*data = at;
    EXPECT_ERROR(train::refuse_pipes(s, "'run'"), "'run': its data, '" + at + "', are a pipe");
    EXPECT_ERROR(lab::load_checked({.settings = s}), "are a pipe");
    s.*data = "/dev/stdin";
    EXPECT_NO_THROW(train::refuse_pipes(s, "'run'"));
    s.*data = folder.write("file", "text");
    EXPECT_NO_THROW(train::refuse_pipes(s, "'run'"));
  }
}

}  // namespace
