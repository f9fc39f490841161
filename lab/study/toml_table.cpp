#include "lab/study/toml_table.h"

#include <fstream>

namespace lab {

constexpr std::size_t kMostBytes = 1 << 20;

std::string read_toml_text(const std::filesystem::path& path, std::string_view what) {
  std::error_code code;
  engine::require(!std::filesystem::is_directory(path, code), path.string(),
                  ": is a folder; give a ", what, ", FILE.toml");
  std::ifstream in(path, std::ios::binary);
  engine::require(bool(in), path.string(), ": cannot be read; give a ", what, ", FILE.toml");
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  engine::require(text.size() <= kMostBytes, path.string(), ": larger than 1 MB: no ", what);
  return text;
}

toml::table parse_toml(const std::string& text, const std::filesystem::path& path) {
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& e) {
    throw engine::Error(fmt::format("{}: {}", place(path, e.source()), e.description()));
  }
}

}  // namespace lab
