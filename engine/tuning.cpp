#include "engine/tuning.h"

#include <cstdlib>
#include <fstream>

namespace engine {

Tuning Tuning::of_environment() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (variable("ISODROP_TUNING") == "off") return {};
  const std::filesystem::path cache = variable("XDG_CACHE_HOME"), home = variable("HOME");
  if (cache.is_absolute()) return Tuning(cache / "isodrop" / "tuning.tsv");
  if (home.is_absolute()) return Tuning(home / ".cache" / "isodrop" / "tuning.tsv");
  return {};
}

std::optional<std::string> Tuning::recall(std::string_view key) const {
  std::error_code none;  // what is not there says nothing, and a pipe would wait for its writer
  if (file_.empty() || !std::filesystem::is_regular_file(file_, none)) return {};
  std::ifstream in(file_);
  std::optional<std::string> word;
  for (std::string line; std::getline(in, line);)  // the last word counts
    if (line.size() > key.size() && line[key.size()] == '\t' &&
        line.compare(0, key.size(), key) == 0)
      word = line.substr(key.size() + 1);
  return word;
}

void Tuning::keep(std::string_view key, std::string_view word) const {
  if (file_.empty()) return;
  std::error_code ignored;  // a cache that cannot be kept costs the next run its measurements
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const auto type = std::filesystem::status(file_, ignored).type();
  if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::not_found)
    return;
  std::string line(key);
  line.append("\t").append(word).append("\n");
  // One write at the end of the file: two programs at once do not tear each other's lines.
  std::ofstream(file_, std::ios::app | std::ios::binary).write(line.data(), std::ssize(line));
}

}  // namespace engine
