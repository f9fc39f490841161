#include "base/limits.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace base {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

struct ControlGroup {
  fs::path folder;
  int version = 2;
};

/// The folder at `path` below `mount` and those around it.
void add_all(const fs::path& mount, const fs::path& path, int version,
             std::vector<ControlGroup>& out) {
  out.push_back({mount, version});
  fs::path group = mount;
  for (const fs::path& part : path.relative_path()) {
    group /= part;
    out.push_back({group, version});
  }
}

/// "a,memory,b" holds "memory".
bool lists(std::string_view controllers, std::string_view wanted) {
  for (std::size_t begin = 0; begin <= controllers.size();) {
    const std::size_t end = std::min(controllers.find(',', begin), controllers.size());
    if (controllers.substr(begin, end - begin) == wanted) return true;
    begin = end + 1;
  }
  return false;
}

/// The word as a whole number; nothing if it is none or too large.
std::optional<std::size_t> number(std::string_view word) {
  std::size_t n = 0;
  for (const char ch : word) {
    if (ch < '0' || ch > '9' || n > kUnlimited / 16) return {};
    n = 10 * n + static_cast<std::size_t>(ch - '0');
  }
  return word.empty() ? std::nullopt : std::optional(n);
}

/// The group of this process for one controller ("memory", "cpu") and those around it. Folders need
/// not exist: a path of an outer namespace does not.
std::vector<ControlGroup> control_groups(const fs::path& root, std::string_view controller) {
  std::vector<ControlGroup> out;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // "4:cpu,memory:/a/b", version 2: "0::/a/b"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1), sys = root / "sys/fs/cgroup";
    if (controllers.empty()) {
      for (const fs::path& mount : {sys, sys / "unified"}) add_all(mount, path, 2, out);
    } else if (lists(controllers, controller)) {
      add_all(sys / controller, path, 1, out);
    }
  }
  return out;
}

/// The number in a file; "max" is kUnlimited.
std::optional<std::size_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  if (!(in >> word)) return {};
  return word == "max" ? kUnlimited : number(word);
}

/// Names of the files of one version of control groups.
struct Version {
  const char* limit;
  const char* usage;
  std::string_view reclaimable;  // row of memory.stat
};
constexpr Version kV1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Version kV2{"memory.max", "memory.current", "inactive_file"};

/// The number after `name` in a file of "name number" rows, or 0.
std::size_t row_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  std::string word;
  for (std::size_t n = 0; in >> word >> n; in.ignore(kUnlimited >> 1, '\n'))
    if (word == name) return n;
  return 0;
}

/// What a group leaves; kUnlimited without a limit.
std::size_t left_by(const fs::path& group, const Version& v) {
  const auto limit = number_in(group / v.limit), used = number_in(group / v.usage);
  if (!limit || !used || *limit == kUnlimited) return kUnlimited;
  const std::size_t kept = *used - std::min(*used, row_of(group / "memory.stat", v.reclaimable));
  return *limit - std::min(*limit, kept);
}

}  // namespace

std::size_t available_memory(const fs::path& root) {
  const std::size_t machine = row_of(root / "proc/meminfo", "MemAvailable:") * 1024;
  std::size_t groups = kUnlimited;
  for (const ControlGroup& group : control_groups(root, "memory"))
    groups = std::min(groups, left_by(group.folder, group.version == 1 ? kV1 : kV2));
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

std::optional<double> cpu_limit(const fs::path& root) {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups(root, "cpu")) {
    std::string quota, period;
    if (group.version == 2) {  // "200000 100000", "max 100000"
      std::ifstream in(group.folder / "cpu.max");
      in >> quota >> period;
    } else {  // -1: none
      std::ifstream(group.folder / "cpu.cfs_quota_us") >> quota;
      std::ifstream(group.folder / "cpu.cfs_period_us") >> period;
    }
    const auto time = number(quota), of = number(period);
    if (!time || !of || *of == 0) continue;
    const double cores = static_cast<double>(*time) / static_cast<double>(*of);
    least = std::min(cores, least.value_or(cores));
  }
  return least;
}

}  // namespace base
