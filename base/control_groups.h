// The control groups that this process is in (containers, Slurm jobs, systemd units), version 1
// and 2, and what their files say.
#pragma once
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace base {

inline constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

struct ControlGroup {
  std::filesystem::path folder;
  int version = 2;
};

/// The group of this process and those it is nested in, of one controller ("memory", "cpu"); empty
/// where there is none. Folders need not exist: a path of a namespace outside of this one does not.
/// `root`: the folder that holds proc/ and sys/, "/" of a running system.
std::vector<ControlGroup> control_groups(const std::filesystem::path& root,
                                         std::string_view controller);

/// The number in a file of its own; "max" is kUnlimited. Nothing where there is none.
std::optional<std::size_t> number_in(const std::filesystem::path& file);

/// Cores' worth of time that the groups allow: quota / period, the least of all. Nothing where
/// there is no limit.
std::optional<double> cpu_limit(const std::filesystem::path& root = "/");

}  // namespace base
