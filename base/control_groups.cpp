#include "base/control_groups.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace base {
namespace {

namespace fs = std::filesystem;

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

/// The whole number that a word is; nothing where it is none or too large.
std::optional<std::size_t> number(std::string_view word) {
  std::size_t n = 0;
  for (const char ch : word) {
    if (ch < '0' || ch > '9' || n > kUnlimited / 16) return {};
    n = 10 * n + static_cast<std::size_t>(ch - '0');
  }
  return word.empty() ? std::nullopt : std::optional(n);
}

}  // namespace

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

std::optional<std::size_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  if (!(in >> word)) return {};
  return word == "max" ? kUnlimited : number(word);
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
