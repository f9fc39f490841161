// The folder for what nobody keeps: new, private, and gone in the end.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/files.h"
#include "tests/temp_folder.h"

namespace {

namespace fs = std::filesystem;

class ScratchFolder : public testing::Test {
 protected:
  ScratchFolder() { setenv("TMPDIR", folder.path().c_str(), 1); }
  ~ScratchFolder() override { was.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", was.c_str(), 1); }
  const std::string was = std::getenv("TMPDIR") == nullptr ? "" : std::getenv("TMPDIR");
  const tests::TempFolder folder;
};

TEST_F(ScratchFolder, IsNewAndThisUsersAlone) {
  // What somebody has put where an older isodrop would have looked.
  folder.write("isodrop-" + std::to_string(getpid()) + "/planted", "x");
  fs::path first;
  {
    const cli::Scratch scratch, other;
    first = scratch.path();
    EXPECT_NE(scratch.path(), other.path());
    EXPECT_FALSE(fs::exists(scratch.path() / "planted"));
    struct stat status {};
    ASSERT_EQ(lstat(first.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_TRUE(fs::exists(first)) << "the other took it for one that was left";
  }
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(folder.path() / ("isodrop-" + std::to_string(getpid())) / "planted"));
}

TEST_F(ScratchFolder, ThatOfAKilledProcessGoes) {
  folder.write("isodrop-scratch-killed/lock", "");
  folder.write("isodrop-scratch-killed/id/record.json", "{}");
  folder.write("isodrop-scratch-begun/file", "killed before it had a lock");
  folder.write("elsewhere/lock", "");
  fs::create_directory_symlink(folder.path() / "elsewhere", folder.path() / "isodrop-scratch-link");
  { const cli::Scratch scratch; }
  EXPECT_FALSE(fs::exists(folder.path() / "isodrop-scratch-killed"));
  EXPECT_FALSE(fs::exists(folder.path() / "isodrop-scratch-begun"));
  EXPECT_TRUE(fs::exists(folder.path() / "isodrop-scratch-link/lock")) << "a link is not followed";
}

}  // namespace
