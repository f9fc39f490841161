#include "base/toml_table.h"

#include <algorithm>
#include <cctype>
#include <fstream>

namespace base {

constexpr std::size_t kMostBytes = 1 << 20;

std::string read_toml_text(const std::filesystem::path& path, std::string_view what) {
  std::error_code code;
  base::require(!std::filesystem::is_directory(path, code), path.string(), ": is a folder; give a ",
                what, ", FILE.toml");
  std::ifstream in(path, std::ios::binary);
  base::require(bool(in), path.string(), ": cannot be read; give a ", what, ", FILE.toml");
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  base::require(text.size() <= kMostBytes, path.string(), ": larger than 1 MB; give a smaller ",
                what);
  return text;
}

namespace {

constexpr int kMostDepth = 64;  // the parser recurses, and what deepens a file is mostly an attack

/// Whether brackets or the parts of a dotted key go deeper: looked at before the parser does.
bool too_deep(std::string_view text) {
  int brackets = 0, dots = 0;
  const auto skip_to = [&](std::size_t& at, std::string_view end, bool escapes) {
    while (at < text.size() && !text.substr(at).starts_with(end) &&
           (end.size() > 1 || text[at] != '\n'))
      at += escapes && text[at] == '\\' ? 2 : 1;
    at = std::min(at + end.size(), text.size());
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::string_view thrice = text.substr(at, 3);
    if (thrice == "\"\"\"" || thrice == "'''") {
      at += 3;
      skip_to(at, thrice, c == '"');
      for (int more = 0; more < 2 && at < text.size() && text[at] == c; ++more) ++at;  // its own
      continue;
    }
    ++at;
    if (c == '"' || c == '\'') {
      skip_to(at, {&c, 1}, c == '"');
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '.') {
      ++dots;
    } else if (c != ' ' && c != '\t' && c != '_' && c != '-' &&
               std::isalnum(static_cast<unsigned char>(c)) == 0) {
      dots = 0;
      brackets += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    }
    if (dots > kMostDepth || brackets > kMostDepth) return true;
  }
  return false;
}

/// TOML has no raw control characters but tabs and line ends, and the parser trips over some.
void refuse_control_bytes(std::string_view text, const std::filesystem::path& path) {
  const auto bad = std::find_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
           c == 0x7F;
  });
  if (bad == text.end()) return;
  throw base::Error(fmt::format("{}:{}: a control character (byte {:#04x}); remove it",
                                path.string(), 1 + std::count(text.begin(), bad, '\n'),
                                static_cast<unsigned char>(*bad)));
}

/// No key or text has control characters, but line ends and tabs in texts.
void require_printable(const toml::node& node, const std::filesystem::path& path) {
  const auto check = [&](std::string_view text, const toml::source_region& at) {
    base::require(base::printable(text, "\n\t") == text, place(path, at), ": ", base::quote(text),
                  " has control characters; leave them out");
  };
  if (const auto* text = node.as_string()) check(text->get(), node.source());
  if (const auto* list = node.as_array())
    for (const toml::node& item : *list) require_printable(item, path);
  if (const auto* table = node.as_table())
    for (const auto& [key, item] : *table) {
      check(key.str(), key.source());
      require_printable(item, path);
    }
}

}  // namespace

toml::table parse_toml(const std::string& text, const std::filesystem::path& path) {
  refuse_control_bytes(text, path);
  base::require(!too_deep(text), path.string(), ": a key of more than ", kMostDepth,
                " parts, or brackets nested as deep; make it flatter");
  try {
    toml::table root = toml::parse(text, path.string());
    require_printable(root, path);
    return root;
  } catch (const toml::parse_error& e) {
    throw base::Error(fmt::format("{}: {}", place(path, e.source()), e.description()));
  }
}

}  // namespace base
