#include "base/memory_limits.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/control_groups.h"

namespace base {
namespace {

namespace fs = std::filesystem;

/// What a version of control groups calls its files.
struct Version {
  const char* limit;
  const char* usage;
  std::string_view reclaimable;  // row of memory.stat
};
constexpr Version kV1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Version kV2{"memory.max", "memory.current", "inactive_file"};

/// The number behind `name` in a file of "name number" rows; 0 where there is none.
std::size_t row_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  std::string word;
  for (std::size_t n = 0; in >> word >> n; in.ignore(kUnlimited >> 1, '\n'))
    if (word == name) return n;
  return 0;
}

/// What a group leaves; kUnlimited where it has no limit.
std::size_t left_by(const fs::path& group, const Version& v) {
  const auto limit = number_in(group / v.limit), used = number_in(group / v.usage);
  if (!limit || !used || *limit == kUnlimited) return kUnlimited;
  const std::size_t kept = *used - std::min(*used, row_of(group / "memory.stat", v.reclaimable));
  return *limit - std::min(*limit, kept);
}

std::size_t left_by_groups(const fs::path& root) {
  std::size_t least = kUnlimited;
  for (const ControlGroup& group : control_groups(root, "memory"))
    least = std::min(least, left_by(group.folder, group.version == 1 ? kV1 : kV2));
  return least;
}

}  // namespace

std::size_t available_memory(const fs::path& root) {
  const std::size_t machine = row_of(root / "proc/meminfo", "MemAvailable:") * 1024;
  const std::size_t groups = left_by_groups(root);
  if (machine == 0) return groups == kUnlimited ? 0 : groups;
  return std::min(machine, groups);
}

std::optional<std::size_t> memory_limit(const fs::path& root) {
  std::optional<std::size_t> least;
  for (const ControlGroup& group : control_groups(root, "memory")) {
    const auto limit = number_in(group.folder / (group.version == 1 ? kV1 : kV2).limit);
    // Version 1 says "none" as the largest number of whole pages.
    if (limit && *limit < kUnlimited / 4) least = std::min(*limit, least.value_or(*limit));
  }
  return least;
}

}  // namespace base
