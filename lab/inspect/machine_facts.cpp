#include "lab/inspect/machine_facts.h"

#include <fstream>
#include <sstream>

#include "base/limits.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line) || base::trim(line).empty()) return {};
  return std::string(base::trim(line));
}

/// What stands behind "NAME:" in the first such row.
std::optional<std::string> row_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || base::trim(std::string_view(line).substr(0, colon)) != name) continue;
    return std::string(base::trim(std::string_view(line).substr(colon + 1)));
  }
  return {};
}

std::optional<int> rows_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  int n = 0;
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon != line.npos && base::trim(std::string_view(line).substr(0, colon)) == name) ++n;
  }
  return n > 0 ? std::optional(n) : std::nullopt;
}

bool has_word(const std::string& text, std::string_view wanted) {
  std::istringstream in(text);
  for (std::string word; in >> word;)
    if (word == wanted) return true;
  return false;
}

/// The first word as a number.
std::optional<double> number_of(const std::optional<std::string>& text) {
  if (!text) return {};
  double x = 0;
  if (base::parse_number(text->substr(0, text->find(' ')), x) != std::errc{}) return {};
  return x;
}

/// "[always] madvise never": what stands in brackets.
std::optional<std::string> chosen(const std::optional<std::string>& text) {
  if (!text) return {};
  const std::size_t open = text->find('['), close = text->find(']');
  if (open == text->npos || close == text->npos || close <= open + 1) return {};
  return text->substr(open + 1, close - open - 1);
}

}  // namespace

std::optional<int> count_of_list(const std::string& text) {
  int count = 0;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) {
    const std::size_t dash = item.find('-');
    std::int64_t from = 0, to = 0;
    if (base::parse_number(item.substr(0, dash), from) != std::errc{}) return {};
    to = from;
    if (dash != item.npos && base::parse_number(item.substr(dash + 1), to) != std::errc{})
      return {};
    if (from < 0 || to < from || to > 1'000'000) return {};
    count += static_cast<int>(to - from) + 1;
  }
  return count > 0 ? std::optional(count) : std::nullopt;
}

MachineFacts machine_facts(const fs::path& root) {
  const fs::path proc = root / "proc", cpu = root / "sys/devices/system/cpu",
                 info = proc / "cpuinfo";
  MachineFacts f;
  f.cpu = row_of(info, "model name");
  if (const auto flags = row_of(info, "flags"))
    f.isa = has_word(*flags, "avx512f") ? "AVX-512" : has_word(*flags, "avx2") ? "AVX2" : "SSE2";
  f.cpus = rows_of(info, "processor");
  if (const auto list = row_of(proc / "self/status", "Cpus_allowed_list"))
    f.allowed = count_of_list(*list);
  f.cpu_limit = base::cpu_limit(root);
  if (const auto kilobytes = number_of(row_of(proc / "meminfo", "MemTotal")))
    f.memory_total = *kilobytes * 1024;
  if (const auto limit = base::memory_limit(root)) f.memory_limit = static_cast<double>(*limit);
  f.memory_available = static_cast<double>(base::available_memory(root));
  f.huge_pages = chosen(line_of(root / "sys/kernel/mm/transparent_hugepage/enabled"));
  if (const auto nodes = line_of(root / "sys/devices/system/node/online"))
    f.numa_nodes = count_of_list(*nodes);
  f.governor = line_of(cpu / "cpu0/cpufreq/scaling_governor");
  f.scaling_driver = line_of(cpu / "cpu0/cpufreq/scaling_driver");
  f.load = number_of(line_of(proc / "loadavg"));
  return f;
}

std::optional<CpuTicks> cpu_ticks(const fs::path& root) {
  std::ifstream in(root / "proc/stat");
  std::string name;
  if (!(in >> name) || name != "cpu") return {};
  // user nice system idle iowait irq softirq steal; guest times are in user's and nice's.
  CpuTicks ticks;
  for (int i = 0; i < 8; ++i) {
    double n = 0;
    if (!(in >> n) || n < 0) return {};
    ticks.all += n;
    if (i == 7) ticks.stolen = n;
  }
  return ticks;
}

}  // namespace lab
