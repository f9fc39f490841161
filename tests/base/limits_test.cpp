#include "base/limits.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace {

/// A folder with the files that the kernel would show.
class MemoryLimits : public testing::Test {
 protected:
  void SetUp() override {
    write("proc/meminfo", "MemTotal:       9999 kB\nMemFree: 1 kB\nMemAvailable:   8000 kB\n");
  }
  void write(const std::string& file, const std::string& text) { folder_.write(file, text); }
  void v2(const std::string& group, const std::string& limit, const std::string& usage,
          const std::string& stat = "anon 1\n") {
    const std::string at = "sys/fs/cgroup/" + group;
    write(at + "memory.max", limit + "\n");
    write(at + "memory.current", usage + "\n");
    write(at + "memory.stat", stat);
  }
  void v1(const std::string& group, const std::string& limit, const std::string& usage,
          const std::string& stat = "cache 1\n") {
    const std::string at = "sys/fs/cgroup/memory/" + group;
    write(at + "memory.limit_in_bytes", limit + "\n");
    write(at + "memory.usage_in_bytes", usage + "\n");
    write(at + "memory.stat", stat);
  }
  void in_groups(const std::string& lines) { write("proc/self/cgroup", lines); }
  std::size_t available() const { return base::available_memory(folder_.path()); }

 private:
  tests::TempFolder folder_;
};

TEST_F(MemoryLimits, WithoutGroupsItIsTheMachines) { EXPECT_EQ(available(), 8000 * 1024u); }

TEST_F(MemoryLimits, UnknownIsZero) {
  write("proc/meminfo", "");
  EXPECT_EQ(available(), 0u);
  in_groups("0::/\n");
  v2("", "700000", "100000");
  EXPECT_EQ(available(), 600000u);
}

TEST_F(MemoryLimits, Version2LimitMinusUsage) {
  in_groups("0::/job\n");
  v2("job/", "5000000", "2000000");
  EXPECT_EQ(available(), 3000000u);
}

TEST_F(MemoryLimits, FilePagesThatCanBeGivenBackAreFree) {
  in_groups("0::/job\n");
  v2("job/", "5000000", "2000000", "active_file 7\ninactive_file 1500000\nslab 3\n");
  EXPECT_EQ(available(), 4500000u);
  v2("job/", "5000000", "2000000", "inactive_file 9000000\n");
  EXPECT_EQ(available(), 5000000u) << "never more than the limit";
}

TEST_F(MemoryLimits, MaxIsNoLimit) {
  in_groups("0::/job\n");
  v2("job/", "max", "2000000");
  EXPECT_EQ(available(), 8000 * 1024u);
}

TEST_F(MemoryLimits, UsedUpIsZeroAndNotHuge) {
  in_groups("0::/job\n");
  v2("job/", "1000", "2000000");
  EXPECT_EQ(available(), 0u);
}

TEST_F(MemoryLimits, NestedTheTightestCounts) {
  in_groups("0::/slice/job/step\n");
  v2("slice/", "6000000", "1000000");
  v2("slice/job/", "4000000", "1000000");
  v2("slice/job/step/", "max", "500000");
  EXPECT_EQ(available(), 3000000u);
  v2("slice/", "2500000", "1000000");
  EXPECT_EQ(available(), 1500000u);
  v2("slice/job/step/", "900000", "500000");
  EXPECT_EQ(available(), 400000u);
}

TEST_F(MemoryLimits, Version1) {
  in_groups("3:cpu,cpuacct:/other\n2:memory:/docker/a\n1:name=systemd:/\n");
  v1("", "9223372036854771712", "1");
  v1("docker/a/", "3000000", "1000000", "inactive_file 5\ntotal_inactive_file 250000\n");
  v1("other/", "10", "0");  // another controller's path
  EXPECT_EQ(available(), 2250000u);
}

TEST_F(MemoryLimits, MemoryMayShareAHierarchy) {
  in_groups("2:hugetlb,memory,pids:/a\n");
  v1("a/", "3000000", "1000000");
  EXPECT_EQ(available(), 2000000u);
  in_groups("2:hugetlb,memory_other:/a\n");
  EXPECT_EQ(available(), 8000 * 1024u);
}

TEST_F(MemoryLimits, AContainerSeesItsGroupAsTheRoot) {  // its path is outside of its namespace
  in_groups("2:memory:/docker/0123\n0::/\n");
  v1("", "2000000", "500000");
  EXPECT_EQ(available(), 1500000u);
}

TEST_F(MemoryLimits, Hybrid) {
  in_groups("2:cpu:/x\n0::/job\n");
  v2("unified/job/", "2000000", "500000");
  EXPECT_EQ(available(), 1500000u);
}

TEST_F(MemoryLimits, WhatIsNotANumberIsNoLimit) {
  for (const char* bad : {"", "-5", "12x", "99999999999999999999999999"}) {
    in_groups("0::/job\n");
    v2("job/", bad, "0");
    EXPECT_EQ(available(), 8000 * 1024u) << bad;
  }
  for (const char* lines : {"", "nonsense\n", "0:\n", "::\n", ":memory"}) {
    in_groups(lines);
    EXPECT_EQ(available(), 8000 * 1024u) << lines;
  }
}

TEST(MemoryLimitsOfThisMachine, AreKnown) { EXPECT_GT(base::available_memory(), 1u << 20); }

}  // namespace
