// Settings as TOML: the flags' names, in the groups of the help.
#include <fmt/format.h>

#include <limits>

#include "train/config/settings.h"

namespace train {
namespace {

/// A basic string of TOML. `text` is UTF-8 without NUL, as settings are.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

/// Whether the value's text is a TOML value as it stands.
bool bare(const Settings& settings, const Row& row) {
  if (const auto* seed = std::get_if<std::uint64_t Settings::*>(&row.member))
    return settings.*(*seed) <= std::numeric_limits<std::int64_t>::max();
  if (const auto* maybe = std::get_if<std::optional<double> Settings::*>(&row.member))
    return (settings.*(*maybe)).has_value();
  return !std::holds_alternative<std::string Settings::*>(row.member);
}

}  // namespace

std::string to_toml(const Settings& settings) {
  std::string out =
      "# A run's settings, as it was made; the same again: isodrop train --config THIS_FILE\n";
  for (const Group group : kGroups) {
    out += fmt::format("\n# {}\n", title(group));
    for (const Row& row : settings_table()) {
      const std::string value = value_text(settings, row);
      if (row.group != group || value.empty()) continue;
      out += fmt::format("{} = {}\n", row.name, bare(settings, row) ? value : toml_string(value));
    }
  }
  return out;
}

}  // namespace train
