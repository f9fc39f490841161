// What tells builds apart: the hash of the sources that decide bits (cmake/source_hash.cmake).
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

class SourceHash : public testing::Test {
 protected:
  void SetUp() override {
    folder.write("ops/a.cpp", "int a;");
    folder.write("train/b.h", "int b;");
    folder.write("lab/c.cpp", "int c;");
    folder.write("lab/d.cpp", "int d;");
  }
  std::string hash(const std::string& flags = "-O3", const std::string& rooms = "ops,train") const {
    const Words command = {"cmake",
                           "-DROOT=" + folder.path().string(),
                           "-DROOMS=" + rooms,
                           "-DALSO=lab/c.cpp",
                           "-DFLAGS=" + flags,
                           "-DOUTPUT=" + (folder.path() / "out.h").string(),
                           "-P",
                           ISODROP_SOURCE_DIR "/cmake/source_hash.cmake"};
    const Result r = Process::program(command, folder.path()).wait();
    return r.code == 0 ? folder.read("out.h") : r.err;
  }
  const TempFolder folder;
};

TEST_F(SourceHash, ChangesWithWhatDecidesBitsAndNothingElse) {
  const std::string before = hash();
  ASSERT_NE(before.find("#define ISODROP_SOURCE \""), std::string::npos) << before;
  folder.write("lab/d.cpp", "int e;");
  EXPECT_EQ(hash(), before);
  EXPECT_NE(hash("-O3 -ffast-math"), before);
  for (const char* file : {"ops/a.cpp", "train/b.h", "lab/c.cpp"}) {
    const std::string text = folder.read(file);
    folder.write(file, text + " ");
    EXPECT_NE(hash(), before) << file;
    folder.write(file, text);
    EXPECT_EQ(hash(), before) << file;
  }
}

TEST_F(SourceHash, ARoomWithoutSourcesIsAMistake) {
  EXPECT_NE(hash("", "ops,engine").find("no sources found"), std::string::npos);
}

}  // namespace
}  // namespace tests
