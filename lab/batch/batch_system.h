// Scripts that hand the missing runs of a plan to a batch system: a row for each system.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "lab/study/dry_run.h"

namespace lab {

/// What a script is made of. Paths are absolute.
struct BatchWork {
  std::string program;           // isodrop
  std::filesystem::path folder;  // of the plan, which the list is in
  std::string list;              // its name there
  std::filesystem::path store;
  std::string flags;         // more flags of `isodrop run`, each with a blank before it
  std::int64_t runs = 0;     // of the list
  std::int64_t threads = 1;  // of a run
  std::int64_t at_once = 1;  // of one machine
  double seconds = 0;        // of the longest run on these threads, estimated
  double bytes = 0;          // of the largest run, estimated
};

/// The time, memory and threads of a dry run's longest and largest run.
void add_needs(BatchWork& work, const DryRun& plan);

/// Scripts ask for this factor times the dry run's estimate, since other machines are slower, and
/// this much more.
inline constexpr double kTimeMargin = 2, kMoreSeconds = 300;
inline constexpr double kMemoryMargin = 1.25, kMoreBytes = 256 << 20;
/// Tasks of a Slurm array: as many as Slurm takes unless its MaxArraySize was raised.
inline constexpr std::int64_t kMostTasks = 1000;

struct BatchSystem {
  std::string_view name, help;
  std::string_view file;   // of the script
  std::string_view start;  // what is typed before its path
  std::string (*script)(const BatchWork& work);
};

std::span<const BatchSystem> batch_systems();
/// Throws base::Error naming --engine.
const BatchSystem& batch_system(std::string_view name);

/// "1-02:30:00": days, hours, minutes and seconds as Slurm reads them, in whole minutes.
std::string slurm_time(double seconds);

}  // namespace lab
