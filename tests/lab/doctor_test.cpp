// The doctor on machines made of files: control groups of both versions, broken files, none.
#include "lab/inspect/doctor.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace lab {
namespace {

class Doctor : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) { folder.write(file, text); }
  MachineFacts facts() const { return machine_facts(folder.path()); }
  /// A machine without a fault.
  void healthy() {
    write("proc/cpuinfo",
          "processor\t: 0\nmodel name\t: Some CPU 3000\nflags\t\t: fpu avx2 fma\n\n"
          "processor\t: 1\nmodel name\t: Some CPU 3000\nflags\t\t: fpu avx2 fma\n");
    write("proc/self/status", "Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n");
    write("proc/self/cgroup", "0::/job\n");
    write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n");
    write("proc/loadavg", "0.25 0.20 0.10 1/100 999\n");
    write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    write("sys/devices/system/node/online", "0\n");
    write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  }
  Surroundings here() const {
    Surroundings s;
    s.threads = 2, s.built_for = "AVX2", s.onednn = "2.6.3", s.product = "brg:avx2";
    s.versions = "isodrop", s.store = "out/runs", s.disk_free = 5e10;
    return s;
  }
  const MachineTimes times{200, 190, 0.0};
  /// Names of the checks that have advice.
  std::string complaints(const MachineFacts& f, const MachineTimes& t,
                         const Surroundings& s) const {
    std::string out;
    for (const Check& c : examine(f, t, s)) {
      EXPECT_FALSE(c.text.empty()) << c.name;
      EXPECT_EQ(c.advice.find('\n'), std::string::npos);
      if (!c.advice.empty()) out += c.name + "; ";
    }
    return out;
  }
  const tests::TempFolder folder;
};

TEST_F(Doctor, ReadsAHealthyMachine) {
  healthy();
  const MachineFacts f = facts();
  EXPECT_EQ(f.cpu, "Some CPU 3000");
  EXPECT_EQ(f.isa, "AVX2");
  EXPECT_EQ(f.cpus, 2);
  EXPECT_EQ(f.allowed, 2);
  EXPECT_EQ(f.cpu_limit, std::nullopt);
  EXPECT_EQ(f.memory_limit, std::nullopt);
  EXPECT_EQ(f.memory_total, 8'000'000 * 1024.0);
  EXPECT_EQ(f.memory_available, 6'000'000 * 1024.0);
  EXPECT_EQ(f.huge_pages, "madvise");
  EXPECT_EQ(f.numa_nodes, 1);
  EXPECT_EQ(f.governor, "performance");
  EXPECT_EQ(f.load, 0.25);
  EXPECT_EQ(complaints(f, times, here()), "");
}

TEST_F(Doctor, WhereNothingIsThereNothingIsKnown) {
  const MachineFacts f = facts();
  EXPECT_EQ(f.cpu, std::nullopt);
  EXPECT_EQ(f.cpus, std::nullopt);
  EXPECT_EQ(f.memory_total, std::nullopt);
  EXPECT_EQ(f.numa_nodes, std::nullopt);
  EXPECT_EQ(f.load, std::nullopt);
  EXPECT_FALSE(cpu_ticks(folder.path()));
  EXPECT_EQ(complaints(f, times, here()), "") << "what is not known is no fault";
  Surroundings unknown = here();
  unknown.disk_free = {};
  for (const Check& c : examine(f, {200, 190, {}}, unknown)) {
    if (c.name == "memory" || c.name == "huge pages" || c.name == "disk") {
      EXPECT_NE(c.text.find("unknown"), std::string::npos) << c.name << ": " << c.text;
    }
  }
}

TEST_F(Doctor, BrokenFilesAreNotKnown) {
  healthy();
  const std::string files[] = {"proc/cpuinfo",
                               "proc/self/status",
                               "proc/self/cgroup",
                               "proc/meminfo",
                               "proc/loadavg",
                               "proc/stat",
                               "sys/fs/cgroup/cpu.max",
                               "sys/fs/cgroup/job/cpu.max",
                               "sys/kernel/mm/transparent_hugepage/enabled",
                               "sys/devices/system/node/online",
                               "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"};
  const std::string texts[] = {"",
                               "\n",
                               ":\n::\n",
                               "[\n",
                               "][\n",
                               "]",
                               "99999999999999999999999 99999999999999999999999\n",
                               "max",
                               "cpu",
                               "cpu 1 2 3",
                               "5-2,\n",
                               "-1\n",
                               "0-99999999999\n",
                               "0::",
                               std::string("\0\xFF\x80:\0", 5),
                               "100000 0\n",
                               "Cpus_allowed_list:\t\nMemTotal: many kB\n",
                               std::string(100'000, 'x')};
  for (const std::string& file : files)
    for (const std::string& text : texts) {
      write(file, text);
      EXPECT_NO_THROW(complaints(facts(), times, here())) << file;
      EXPECT_NO_THROW(cpu_ticks(folder.path()));
      healthy();
    }
}

TEST_F(Doctor, LimitsOfControlGroups) {
  healthy();
  write("sys/fs/cgroup/job/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/job/memory.max", "2000000000\n");
  write("sys/fs/cgroup/job/memory.current", "500000000\n");
  MachineFacts f = facts();
  EXPECT_EQ(f.cpu_limit, 1.5);
  EXPECT_EQ(f.memory_limit, 2e9);
  EXPECT_EQ(f.memory_available, 1.5e9);
  EXPECT_EQ(complaints(f, times, here()), "threads; ");
  write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(facts().cpu_limit, 0.5) << "the least of the groups it is nested in";
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(facts().cpu_limit, 1.5);

  write("proc/self/cgroup", "4:cpu,cpuacct:/a/b\n3:memory:/a\n0::/\n");
  EXPECT_EQ(facts().cpu_limit, std::nullopt) << "of another group";
  write("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(facts().cpu_limit, std::nullopt);
  write("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(facts().cpu_limit, 3);
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1\n");
  EXPECT_EQ(facts().memory_limit, std::nullopt) << "version 1's way to say none";
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3000000000\n");
  EXPECT_EQ(facts().memory_limit, 3e9);
}

TEST_F(Doctor, EachFaultHasItsAdvice) {
  healthy();
  const MachineFacts good = facts();
  const auto with = [&](auto change) {
    MachineFacts f = good;
    change(f);
    return complaints(f, times, here());
  };
  EXPECT_EQ(with([](auto& f) { f.isa = "AVX-512"; }), "cpu; ");
  EXPECT_EQ(with([](auto& f) { f.isa = "SSE2"; }), "cpu; ");
  EXPECT_EQ(with([](auto& f) { f.allowed = 1; }), "threads; ");
  EXPECT_EQ(with([](auto& f) { f.allowed = 4; }), "threads; ");
  EXPECT_EQ(with([](auto& f) { f.memory_available = 1e8; }), "memory; ");
  EXPECT_EQ(with([](auto& f) { f.huge_pages = "never"; }), "huge pages; ");
  EXPECT_EQ(with([](auto& f) { f.load = 1.5; }), "neighbours; ");
  EXPECT_EQ(with([](auto& f) { f.numa_nodes = 2; }), "NUMA nodes; ");
  EXPECT_EQ(with([](auto& f) { f.governor = "powersave"; }), "power; ");
  EXPECT_EQ(with([](auto& f) { f.governor = "powersave", f.scaling_driver = "intel_pstate"; }), "");
  EXPECT_EQ(complaints(good, {200, 100, 0.0}, here()), "neighbours; ");
  EXPECT_EQ(complaints(good, {200, 190, 0.1}, here()), "neighbours; ");
  Surroundings s = here();
  s.product = "";
  EXPECT_EQ(complaints(good, times, s), "oneDNN; ");
  s = here(), s.disk_free = 1e6;
  EXPECT_EQ(complaints(good, times, s), "disk; ");
}

TEST_F(Doctor, TicksAndLists) {
  write("proc/stat", "cpu  10 1 5 80 2 0 1 1 0 0\ncpu0 1 1 1 1\n");
  const auto ticks = cpu_ticks(folder.path());
  ASSERT_TRUE(ticks);
  EXPECT_EQ(ticks->all, 100);
  EXPECT_EQ(ticks->stolen, 1);
  EXPECT_EQ(count_of_list("0-3,8"), 5);
  EXPECT_EQ(count_of_list("7"), 1);
  for (const char* bad : {"", "a", "3-1", "-", "0-", "0-9999999999"})
    EXPECT_EQ(count_of_list(bad), std::nullopt) << bad;
}

TEST_F(Doctor, ThisMachine) {
  const Surroundings s = surroundings(folder.path() / "not" / "there");
  EXPECT_TRUE(s.disk_free) << "of the folder that is there";
  EXPECT_FALSE(s.product.empty());
  EXPECT_GE(s.threads, 1);
  EXPECT_FALSE(examine(machine_facts(), times, s).empty());
}

}  // namespace
}  // namespace lab
