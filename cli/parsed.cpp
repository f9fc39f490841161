// What a command takes, and what was given, by flag.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "base/error.h"
#include "base/text.h"
#include "cli/options.h"
#include "train/config/settings.h"

namespace cli {

std::string flag_of(std::string_view setting) {
  std::string out(setting);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::vector<const train::Row*> rows_of(const Command& command) {
  std::vector<const train::Row*> out;
  if (!command.settings) return out;
  for (const train::Row& row : train::settings_table())
    if (std::find(command.without.begin(), command.without.end(), row.name) ==
        command.without.end())
      out.push_back(&row);
  return out;
}

std::string train_command_text(const train::Settings& settings) {
  const train::Settings base =
      train::resolve({}, std::vector<train::Assignment>{{"preset", settings.preset, ""}});
  std::string text = "isodrop train --preset " + settings.preset;
  for (const train::Row& row : train::settings_table()) {
    if (row.name == "preset") continue;
    const std::string value = train::value_text(settings, row);
    if (value == train::value_text(base, row)) continue;
    text += " --" + flag_of(row.name);
    if (std::holds_alternative<train::Switch>(row.domain))
      text += value == "true" ? "" : "=false";
    else
      text += " " + base::shell_word(value);
  }
  return text;
}

std::string call(const Command& command) {
  return command.call.empty() ? fmt::format("isodrop {}", command.name) : command.call;
}

const Parsed::Values& Parsed::find(std::string_view flag) const {
  const auto it = extras_.find(flag);
  if (it == extras_.end())
    throw std::logic_error("this command declares no flag --" + std::string(flag));
  return it->second;
}

bool Parsed::has(std::string_view flag) const {
  const Values& v = find(flag);
  return !v.values.empty() && !(v.is_switch && v.values.back() == "false");
}

const std::string& Parsed::text(std::string_view flag) const {
  const Values& v = find(flag);
  return v.values.empty() ? v.fallback : v.values.back();
}

const std::vector<std::string>& Parsed::all(std::string_view flag) const {
  return find(flag).values;
}

std::int64_t Parsed::integer(std::string_view flag, std::int64_t low, std::int64_t high) const {
  std::int64_t out = 0;
  if (base::parse_number(text(flag), out) != std::errc{} || out < low || out > high)
    throw base::Error(fmt::format(
        "{} {}: give a whole number {}", find(flag).source, base::quote(text(flag)),
        high == std::numeric_limits<std::int64_t>::max() ? fmt::format("of at least {}", low)
                                                         : fmt::format("in [{}, {}]", low, high)));
  return out;
}

double Parsed::real(std::string_view flag, double low, double high) const {
  double out = 0;
  if (base::parse_number(text(flag), out) != std::errc{} || out < low || out > high)
    throw base::Error(fmt::format("{} {}: give a number in [{}, {}]", find(flag).source,
                                  base::quote(text(flag)), low, high));
  return out;
}

void Parsed::recall(std::string_view flag, const std::string& value, const std::string& source) {
  find(flag);  // throws where there is no such flag
  Values& v = extras_.find(flag)->second;
  if (!v.values.empty()) return;
  v.values = {value};
  v.source = fmt::format("{}: {}", source, flag);
}

std::vector<std::string> Parsed::names(std::string_view flag, std::string_view what,
                                       const std::vector<std::string_view>& known) const {
  std::vector<std::string> out;
  std::istringstream in(text(flag));
  for (std::string name; std::getline(in, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw base::Error(fmt::format("--{} {}: no {} {}; {}", flag, base::quote(text(flag)), what,
                                    base::quote(name), base::suggest(name, known)));
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

}  // namespace cli
