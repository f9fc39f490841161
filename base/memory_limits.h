// How much memory there is to be had: what the machine has free, and what the limits of the control
// groups that this process is in leave of it (containers, Slurm jobs, systemd units).
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>

namespace base {

/// Bytes this process could still get: MemAvailable, or less where a control group allows less. Of
/// a group it is limit − usage, file pages that the kernel would give back not counted as used, and
/// the least over the group and those it is nested in; version 1 and 2. 0 where nothing is known.
/// `root`: the folder that holds proc/ and sys/, "/" of a running system.
std::size_t available_memory(const std::filesystem::path& root = "/");

/// Bytes that the control groups allow in all, the least of them; nothing where there is no limit.
std::optional<std::size_t> memory_limit(const std::filesystem::path& root = "/");

}  // namespace base
