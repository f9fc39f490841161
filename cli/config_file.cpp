#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "cli/options.h"

namespace cli {
namespace {

using base::Error;

std::string with_dashes(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

/// What stands there, in words.
std::string_view kind(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

std::string number_text(const toml::node& node) {
  if (const auto n = node.value_exact<std::int64_t>()) return std::to_string(*n);
  return fmt::format("{}", *node.value_exact<double>());
}

/// The value of a setting as its flag has it; nothing where it is of another type.
std::optional<std::string> setting_text(const toml::node& node, const train::Row& row) {
  const bool text = node.is_string();
  const auto string = [&] { return *node.value_exact<std::string>(); };
  const bool takes_text = std::holds_alternative<std::string train::Settings::*>(row.member),
             is_switch = std::holds_alternative<bool train::Settings::*>(row.member);
  if (takes_text) return text ? std::optional(string()) : std::nullopt;
  if (is_switch) {
    const auto on = node.value_exact<bool>();
    return on ? std::optional<std::string>(*on ? "true" : "false") : std::nullopt;
  }
  if (node.is_number()) return number_text(node);
  // TOML's integers end at 2^63, and min_lr has a word.
  const bool word = std::holds_alternative<std::uint64_t train::Settings::*>(row.member) ||
                    std::holds_alternative<std::optional<double> train::Settings::*>(row.member);
  return text && word ? std::optional(string()) : std::nullopt;
}

/// The same of a command's own flag.
std::optional<std::string> extra_text(const toml::node& node, const Extra& extra) {
  if (extra.hint.empty()) {
    const auto on = node.value_exact<bool>();
    return on ? std::optional<std::string>(*on ? "true" : "false") : std::nullopt;
  }
  if (node.is_number()) return number_text(node);
  return node.value_exact<std::string>();
}

std::string extra_domain(const Extra& extra) {
  if (extra.hint.empty()) return "true or false";
  if (!extra.choices.empty()) return "one of " + base::join(extra.choices);
  return extra.repeatable ? "a text, or a list of them" : "a text or a number";
}

[[noreturn]] void refuse_key(const std::string& where, std::string_view name,
                             const Command& command) {
  std::vector<std::string_view> known = train::setting_names();
  for (const Extra& extra : command.extras)
    if (extra.flag != config_flag().flag) known.push_back(extra.flag);
  const std::string_view near = base::nearest(name, known);
  throw Error(fmt::format("{}: unknown key {}; {}", where, base::quote(name),
                          near.empty() ? fmt::format("see '{} --help'", call(command))
                                       : fmt::format("did you mean '{}'?", near)));
}

}  // namespace

std::vector<ConfigValue> read_config(const std::filesystem::path& path, const Command& command) {
  const toml::table root = base::parse_toml(base::read_toml_text(path, "config file"), path);
  std::vector<ConfigValue> out;
  std::set<std::string> seen;
  for (const auto& [key, node] : root) {
    const std::string where = base::place(path, key.source()), flag = with_dashes(key.str());
    const auto extra = std::find_if(
        command.extras.begin(), command.extras.end(),
        [&](const Extra& e) { return e.flag == flag && e.flag != config_flag().flag; });
    const bool own = extra != command.extras.end();
    const train::Row* row = own ? nullptr : train::find_setting(flag);
    if (!own && row == nullptr) refuse_key(where, key.str(), command);
    if (!seen.insert(flag).second)
      throw Error(fmt::format("{}: {} is given twice, with '-' and with '_'; give it once", where,
                              base::quote(key.str())));
    const auto refuse = [&](const toml::node& wrong) {
      throw Error(fmt::format("{}: {} is {}; give {}", base::place(path, wrong.source()), key.str(),
                              kind(wrong), own ? extra_domain(*extra) : train::domain_text(*row)));
    };
    ConfigValue v{own ? flag : std::string(row->name), where, {}, own ? &*extra : nullptr};
    const auto take = [&](const toml::node& item) {
      const auto text = own ? extra_text(item, *extra) : setting_text(item, *row);
      if (!text) refuse(item);
      if (text->empty())
        throw Error(fmt::format("{}: {} is empty; leave it out", where, key.str()));
      v.values.push_back(*text);
    };
    const toml::array* list = own && extra->repeatable ? node.as_array() : nullptr;
    if (list == nullptr) take(node);
    if (list != nullptr)
      for (const toml::node& item : *list) take(item);
    const bool taken = own || std::find(command.without.begin(), command.without.end(), v.name) ==
                                  command.without.end();
    if (taken && !v.values.empty()) out.push_back(std::move(v));
  }
  return out;
}

}  // namespace cli
