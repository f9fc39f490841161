// What this process may use: free memory, and the limits of its control groups (containers, Slurm
// jobs, systemd units), versions 1 and 2. `root` is the folder with proc/ and sys/; tests give
// another.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>

namespace base {

/// Bytes this process could still get: MemAvailable, or less if its control group or one around it
/// leaves less (limit − usage, not counting file pages that the kernel would give back). 0: not
/// known.
std::size_t available_memory(const std::filesystem::path& root = "/");

/// The smallest memory limit of the control groups, in bytes; nothing without one.
std::optional<std::size_t> memory_limit(const std::filesystem::path& root = "/");

/// The smallest CPU limit of the control groups, in cores (quota / period); nothing without one.
std::optional<double> cpu_limit(const std::filesystem::path& root = "/");

}  // namespace base
