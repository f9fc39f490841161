// What of this machine matters to how fast and how evenly isodrop trains, and what to do where
// something is in the way.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "lab/inspect/machine_facts.h"

namespace lab {

using base::Json;

/// What is measured beside what the kernel says.
struct MachineTimes {
  double gflops = 0;             // f32 FMA peak over all threads: the best of some short runs
  double slow_gflops = 0;        // what nine of ten of those runs reach
  std::optional<double> stolen;  // share of CPU time that the hypervisor took meanwhile
};

/// This program, and where it keeps its runs.
struct Surroundings {
  int threads = 1;        // that it would use
  std::string built_for;  // "AVX2"
  std::string onednn;     // version
  std::string product;    // oneDNN's implementation of a matmul; empty: none but a reference
  std::string versions;   // of isodrop and its build
  std::string store;      // folder of the runs
  std::optional<double> disk_free;  // bytes there
};

/// A line of the answer.
struct Check {
  std::string name, text;
  Json values = Json::object();
  std::string advice;  // empty: all is well
};

/// About a third of a second of work.
MachineTimes measure_times(const std::filesystem::path& root = "/");
Surroundings surroundings(const std::filesystem::path& store);

std::vector<Check> examine(const MachineFacts& facts, const MachineTimes& times,
                           const Surroundings& here);

}  // namespace lab
