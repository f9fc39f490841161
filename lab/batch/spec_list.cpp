#include "lab/batch/spec_list.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace lab {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 28;  // a million paths of 256 bytes

Part checked(std::size_t index, std::size_t count, const std::string& source) {
  base::require(count >= 1 && index < count, source,
                ": give I/N, the part I of N, 0 <= I < N, as 0/4");
  return {index, count};
}

}  // namespace

std::vector<ListedSpec> read_spec_list(const std::filesystem::path& list) {
  const std::string text = base::read_file(list.string(), kMostBytes,
                                           "'isodrop study … --plan DIR --engine …' writes lists");
  std::vector<ListedSpec> out;
  std::set<std::string> seen;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = base::trim(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (line.empty()) continue;
    const std::filesystem::path file = list.parent_path() / std::filesystem::path(line);
    try {
      RunSpec spec = spec_from_json(base::read_json(file), file.string());
      std::string id = run_id(spec);
      if (seen.insert(id).second) out.push_back({file, std::move(id), std::move(spec)});
    } catch (const base::Error& e) {
      throw base::Error(base::concat(list.string(), ":", number + 1, ": ", e.what()));
    }
  }
  base::require(!out.empty(), list.string(), ": names no spec; give a path in each line");
  return out;
}

Part parse_part(const std::string& text, const std::string& source) {
  const std::string what = source + " " + base::quote(text);
  const std::size_t slash = text.find('/');
  std::uint64_t index = 0, count = 0;
  if (slash == std::string::npos ||
      base::parse_number(text.substr(0, slash), index) != std::errc{} ||
      base::parse_number(text.substr(slash + 1), count) != std::errc{})
    count = 0;
  return checked(index, count, what);
}

std::optional<Part> part_of_environment() {
  // srun's come last: within its allocation mpirun says more.
  constexpr std::array<std::pair<const char*, const char*>, 3> kNames = {
      {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
       {"PMI_RANK", "PMI_SIZE"},
       {"SLURM_PROCID", "SLURM_NTASKS"}}};
  for (const auto& [rank, size] : kNames) {
    const char *index = std::getenv(rank), *count = std::getenv(size);
    if (index == nullptr || count == nullptr) continue;
    return parse_part(base::concat(index, '/', count), base::concat(rank, '/', size));
  }
  return {};
}

std::vector<std::size_t> places(std::size_t size, const Part& part, bool help) {
  std::vector<std::size_t> out;
  for (std::size_t i = part.index; i < size; i += part.count) out.push_back(i);
  if (!help) return out;
  for (std::size_t d = 1; d < part.count; ++d) {
    const std::size_t first = (part.index + d) % part.count;
    if (first >= size) continue;
    for (std::size_t i = first + (size - 1 - first) / part.count * part.count;; i -= part.count) {
      out.push_back(i);
      if (i == first) break;
    }
  }
  return out;
}

}  // namespace lab
