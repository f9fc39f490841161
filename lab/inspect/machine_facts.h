// What /proc and /sys say of a machine. Everything is optional: what cannot be read is not known.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lab {

struct MachineFacts {
  std::optional<std::string> cpu;   // model name
  std::optional<std::string> isa;   // the widest of AVX-512, AVX2, SSE2 that it has
  std::optional<int> cpus;          // of the machine, hyper-threads counted
  std::optional<int> allowed;       // on which this process may run
  std::optional<double> cpu_limit;  // cores' worth of time, by control groups
  std::optional<double> memory_total, memory_limit;  // bytes; the limit is the control groups'
  double memory_available = 0;                       // bytes, limits heeded; 0: not known
  std::optional<std::string> huge_pages;             // "always", "madvise", "never"
  std::optional<int> numa_nodes;
  std::optional<std::string> governor, scaling_driver;  // of the first CPU's frequency
  std::optional<double> load;                           // runnable processes, mean of a minute
};

/// `root`: the folder that holds proc/ and sys/.
MachineFacts machine_facts(const std::filesystem::path& root = "/");

/// Ticks of all CPUs since the machine started.
struct CpuTicks {
  double all = 0, stolen = 0;  // stolen: the hypervisor ran somebody else
};
std::optional<CpuTicks> cpu_ticks(const std::filesystem::path& root = "/");

/// How many are in a list of the kernel's: "0-3,8" is 5. Nothing where it is none.
std::optional<int> count_of_list(const std::string& text);

}  // namespace lab
