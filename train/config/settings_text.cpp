// Settings in words: values, domains, help, TOML.
#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "train/config/settings.h"

namespace train {
namespace {

constexpr double kUnlimited = 9e18;  // a limit from here on is not worth telling

/// "a number" and "in [0, 1)"; what has no limits is said as a whole.
struct DomainWords {
  std::string what, limits;
  bool bounded = true;  // the limits leave something out that somebody might try
};

DomainWords domain_words(const Row& row) {
  const auto limited = [](std::string what, auto d, bool open_low, bool open_high) -> DomainWords {
    if (static_cast<double>(d.high) >= kUnlimited)
      return {std::move(what), fmt::format("of at least {}", d.low), false};
    return {std::move(what), fmt::format("in {}{}, {}{}", open_low ? '(' : '[', d.low, d.high,
                                         open_high ? ')' : ']')};
  };
  return std::visit(
      Overload{[&](const Integers& d) { return limited("a whole number", d, false, false); },
               [](const Seeds&) -> DomainWords {
                 return {"a whole number", "in [0, 2^64)"};
               },
               [&](const Reals& d) {
                 DomainWords words = limited("a number", d, d.open_low, d.open_high);
                 if (std::holds_alternative<std::optional<double> Settings::*>(row.member))
                   words.limits += ", or auto";
                 return words;
               },
               [](const Rate&) -> DomainWords {
                 return {"a rate", "in [0, 1)"};
               },
               [](const Switch&) -> DomainWords {
                 return {"true or false", ""};
               },
               [](const Choices& d) -> DomainWords {
                 return {"one of " + base::join(d.list()), ""};
               },
               [](const Text& d) -> DomainWords {
                 return {std::string(d.what), ""};
               }},
      row.domain);
}

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

std::string value_text(const Settings& settings, const Row& row) {
  return std::visit(Overload{[&](std::optional<double> Settings::*m) -> std::string {
                               return (settings.*m).has_value() ? fmt::format("{}", *(settings.*m))
                                                                : "auto";
                             },
                             [&](auto m) -> std::string { return fmt::format("{}", settings.*m); }},
                    row.member);
}

std::string domain_text(const Row& row) {
  const DomainWords words = domain_words(row);
  return words.limits.empty() ? words.what : words.what + " " + words.limits;
}

std::string hint_text(const Row& row) {
  return std::visit(Overload{[](const Integers&) -> std::string { return "N"; },
                             [](const Seeds&) -> std::string { return "N"; },
                             [](const Reals&) -> std::string { return "X"; },
                             [](const Rate&) -> std::string { return "P"; },
                             [](const Switch&) -> std::string { return ""; },
                             [](const Choices&) -> std::string { return "NAME"; },
                             [](const Text& d) { return std::string(d.hint); }},
                    row.domain);
}

std::string help_text(const Row& row, const Settings& defaults) {
  const std::string value = value_text(defaults, row);
  const DomainWords words = domain_words(row);
  std::string out(row.help);
  if (!words.limits.empty())
    out += words.bounded ? ", " + words.limits : "";
  else if (!words.what.starts_with("a ") && !std::holds_alternative<Switch>(row.domain))
    out += ": " + words.what;
  return value.empty() ? out : fmt::format("{} (default {})", out, value);
}

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
