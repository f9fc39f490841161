// Files that others may have put there, and what killed processes leave.
#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "base/json.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace train {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder.path() / name; }
  fs::path link(const std::string& name, const fs::path& to) const {
    fs::create_symlink(to, at(name));
    return at(name);
  }
  fs::path pipe(const std::string& name) const {
    EXPECT_EQ(mkfifo(at(name).c_str(), 0600), 0);
    return at(name);
  }
  const tests::TempFolder folder;
};

TEST_F(Files, InAStoreThereAreRegularFilesAlone) {
  const fs::path file = folder.write("file", "{}");
  EXPECT_EQ(base::read_whole(file, base::Whose::kStore, 2), "{}");
  EXPECT_ERROR(base::read_whole(file, base::Whose::kStore, 1), "is larger than 1 bytes");
  EXPECT_ERROR(base::open_file(link("link", file), base::Whose::kStore), "is a link");
  EXPECT_ERROR(base::open_file(link("dangling", "nowhere"), base::Whose::kStore), "is a link");
  EXPECT_ERROR(base::open_file(pipe("pipe"), base::Whose::kStore), "is a pipe, device or socket");
  EXPECT_ERROR(base::open_file("/dev/zero", base::Whose::kStore), "is a pipe, device or socket");
  EXPECT_ERROR(base::open_file(folder.path(), base::Whose::kStore), "is a folder");
  EXPECT_ERROR(base::open_file(at("none"), base::Whose::kStore), "cannot read");
  fs::create_directory_symlink(folder.path(), at("store"));
  EXPECT_EQ(base::read_json(at("store") / "file", base::Whose::kStore), base::Json::object())
      << "a store by a link";
}

// Looking whether the folder is a link and then opening a file in it would leave time between.
TEST_F(Files, ARunsFolderInAStoreIsNoLinkAtTheMomentItIsOpened) {
  folder.write("run/file", "mine");
  folder.write("elsewhere/file", "theirs");
  const fs::path file = at("run") / "file";
  EXPECT_EQ(base::read_whole(file, base::Whose::kRun, 9), "mine");
  link("run/link", at("elsewhere/file"));
  EXPECT_ERROR(base::open_file(at("run/link"), base::Whose::kRun), "run/link: is a link");
  EXPECT_ERROR(base::open_file(at("run/file/x"), base::Whose::kRun), "cannot read");
  EXPECT_THROW(base::open_file(at("run/none"), base::Whose::kRun), base::NotThere);
  EXPECT_THROW(base::open_file(at("none/file"), base::Whose::kRun), base::NotThere);
  link("swap", at("elsewhere"));
  EXPECT_ERROR(base::open_file(at("swap/file"), base::Whose::kRun), "swap: is a link");
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop)
      renameat2(AT_FDCWD, at("run").c_str(), AT_FDCWD, at("swap").c_str(), RENAME_EXCHANGE);
  });
  for (int i = 0; i < 3000; ++i) {
    std::string got = "mine";
    try {
      got = base::read_whole(file, base::Whose::kRun, 9);
    } catch (const base::Error&) {
      continue;  // a link at this moment, and refused
    }
    EXPECT_EQ(got, "mine");
  }
  stop = true;
  other.join();
}

TEST_F(Files, InARunsFolderLinksAreFollowedAndPipesRefused) {
  const fs::path file = folder.write("file", "{}");
  EXPECT_EQ(base::read_json(link("link", file)), base::Json::object());
  EXPECT_ERROR(base::read_json(link("zero", "/dev/zero")), "is a pipe, device or socket");
  EXPECT_ERROR(base::read_json(pipe("pipe")), "is a pipe, device or socket");
}

TEST_F(Files, APersonMayGiveAPipe) {
  const fs::path path = pipe("pipe");
  std::thread writer([&] { std::ofstream(path) << "[1]"; });
  EXPECT_EQ(base::read_json(path, base::Whose::kPerson), base::Json::array({1}));
  writer.join();
  EXPECT_ERROR(base::open_file("/dev/zero", base::Whose::kPerson), "is a pipe, device or socket");
}

TEST_F(Files, NothingIsWrittenThroughALink) {
  const fs::path mine = folder.write("mine", "mine");
  EXPECT_ERROR(base::LineFile(link("log", mine)), "is a link");
  EXPECT_ERROR(base::LineFile(at("log"), true), "is a link");
  link("lock", "elsewhere");
  EXPECT_ERROR(base::RunLock(folder.path()), "is a link");
  EXPECT_FALSE(fs::exists(at("elsewhere")));
  fs::remove(at("lock"));
  pipe("lock");
  EXPECT_ERROR(base::RunLock(folder.path()), "not a regular file");
  base::write_atomically(link("whole", mine), "new");
  EXPECT_EQ(folder.read("mine"), "mine");
  EXPECT_EQ(folder.read("whole"), "new");
  EXPECT_ERROR(base::refuse_link(link("folder", folder.path())), "is a link");
  EXPECT_NO_THROW(base::refuse_link(folder.path()));
  EXPECT_NO_THROW(base::refuse_link(at("none")));
}

// What a killed process was writing goes, what a living one writes stays.
TEST_F(Files, LeftoversAreClearedAway) {
  for (const char* left : {"a.1-ab.tmp", "a.json.1234567-0123abcd.tmp"}) folder.write(left, "half");
  const std::vector<std::string> others = {"a.tmp",      "a.1-.tmp", "a.-ab.tmp", ".1-ab.tmp",
                                           "a.1-xy.tmp", "a.1-ab",   "a-1-ab.tmp"};
  for (const std::string& name : others) folder.write(name, "another's");
  link("l.1-ab.tmp", at("a.tmp"));
  base::AtomicFile living(at("living"));
  living.write("whole");
  base::make_folder(folder.path());
  living.commit();
  EXPECT_EQ(folder.read("living"), "whole");
  EXPECT_FALSE(fs::exists(at("a.1-ab.tmp")));
  EXPECT_FALSE(fs::exists(at("a.json.1234567-0123abcd.tmp")));
  for (const std::string& name : others) EXPECT_TRUE(fs::exists(at(name))) << name;
  EXPECT_TRUE(fs::exists(at("l.1-ab.tmp"))) << "a link is no file of ours";
  folder.write("a.1-ab.tmp", "half");
  folder.write("b.1-ab.tmp", "half");
  base::remove_temporaries(folder.path(), "a.");
  EXPECT_FALSE(fs::exists(at("a.1-ab.tmp")));
  EXPECT_TRUE(fs::exists(at("b.1-ab.tmp")));
}

TEST_F(Files, WhatCannotBeReplacedLeavesNoTemporary) {
  fs::create_directory(at("folder"));
  EXPECT_ERROR(base::write_atomically(at("folder"), "x"), "cannot replace");
  EXPECT_EQ(folder.snapshot().size(), 1U);
}

}  // namespace
}  // namespace train
