#include "engine/memory_limits.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace engine {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

/// What a version of control groups calls its files.
struct Version {
  const char* limit;
  const char* usage;
  std::string_view reclaimable;  // row of memory.stat
};
constexpr Version kV1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Version kV2{"memory.max", "memory.current", "inactive_file"};

/// The number in a file of its own; "max" is kUnlimited.
std::optional<std::size_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  if (!(in >> word)) return {};
  if (word == "max") return kUnlimited;
  std::size_t n = 0;
  for (const char ch : word) {
    if (ch < '0' || ch > '9' || n > kUnlimited / 16) return {};
    n = 10 * n + static_cast<std::size_t>(ch - '0');
  }
  return n;
}

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

/// The least that the group at `path` below `mount` and those around it leave. A path that is not
/// there belongs to a namespace outside of this one, whose root then is what `mount` shows.
std::size_t left_by_all(const fs::path& mount, const fs::path& path, const Version& v) {
  std::size_t least = left_by(mount, v);
  fs::path group = mount;
  for (const fs::path& part : path.relative_path()) {
    group /= part;
    least = std::min(least, left_by(group, v));
  }
  return least;
}

/// "a,memory,b" holds "memory".
bool lists_memory(std::string_view controllers) {
  for (std::size_t begin = 0; begin <= controllers.size();) {
    const std::size_t end = std::min(controllers.find(',', begin), controllers.size());
    if (controllers.substr(begin, end - begin) == "memory") return true;
    begin = end + 1;
  }
  return false;
}

std::size_t left_by_groups(const fs::path& root) {
  std::size_t least = kUnlimited;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // "4:cpu,memory:/a/b", version 2: "0::/a/b"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1), sys = root / "sys/fs/cgroup";
    if (controllers.empty()) {
      for (const fs::path& mount : {sys, sys / "unified"})
        least = std::min(least, left_by_all(mount, path, kV2));
    } else if (lists_memory(controllers)) {
      least = std::min(least, left_by_all(sys / "memory", path, kV1));
    }
  }
  return least;
}

}  // namespace

std::size_t available_memory(const fs::path& root) {
  const std::size_t machine = row_of(root / "proc/meminfo", "MemAvailable:") * 1024;
  const std::size_t groups = left_by_groups(root);
  if (machine == 0) return groups == kUnlimited ? 0 : groups;
  return std::min(machine, groups);
}

}  // namespace engine
