#include "lab/study/arm.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace lab {
namespace {

using base::Error;
using base::quote;
using base::trim;

constexpr std::string_view kNone = "none";
constexpr std::string_view kGrammar = "an arm is [NAME:] SETTING=VALUE[,SETTING=VALUE...], or none";

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

/// The setting that an arm may set; `refusal`, a {fmt} text with its name, begins the error.
const train::Row& arm_setting(std::string_view name, const std::string& source,
                              std::string_view refusal) {
  std::vector<std::string_view> allowed;
  for (const train::Row& row : train::settings_table())
    if (row.arm_ok()) allowed.push_back(row.name);
  const train::Row* row = train::find_setting(name);
  if (row == nullptr)
    throw Error(fmt::format("{}: unknown setting {}; {}", source, quote(name),
                            base::suggest(name, allowed)));
  if (!row->arm_ok())
    throw Error(fmt::format("{}: {}: {}; arms may set {}", source,
                            fmt::format(fmt::runtime(refusal), row->name), row->shared,
                            base::join(allowed)));
  return *row;
}

/// The setting that a cell may set.
const train::Row& cell_setting(std::string_view name, const std::string& source) {
  const train::Row* row = train::find_setting(name);
  if (row == nullptr)
    throw Error(fmt::format("{}: unknown setting {}; {}", source, quote(name),
                            base::suggest(name, train::setting_names())));
  require_of_cells(row->name, source);
  return *row;
}

/// "V1|V2" with '|' as separator.
Alternatives alternatives(const train::Row& row, std::string_view values, char separator,
                          const std::string& source) {
  Alternatives out{std::string(row.name), {}};
  for (std::size_t begin = 0; begin <= values.size();) {
    const std::size_t end = std::min(values.find(separator, begin), values.size());
    const std::string_view value = trim(values.substr(begin, end - begin));
    const Level level = level_of(row.name, value, source);
    const std::string& canonical = level.set.front().second;
    base::require(std::find(out.values.begin(), out.values.end(), canonical) == out.values.end(),
                  source, ": ", quote(value), " is given twice; give it once");
    base::require(with({}, level).budget_share <= 1, source, ": a share of ", canonical,
                  " spends more than the budget; give shares of at most 1");
    out.values.push_back(canonical);
    begin = end + 1;
  }
  return out;
}

class Parser {
 public:
  Parser(std::string_view text, const train::Settings& base, bool cell = false)
      : text_(trim(text)), source_((cell ? "cell " : "arm ") + quote(text_)), cell_(cell) {
    arm_.name = std::string(text_);
    arm_.settings = base;
  }

  Arm parse() {
    if (text_.empty()) throw Error(fmt::format("empty arm; {}", kGrammar));
    std::string_view items = take_name();
    for (bool first = true;; first = false) {
      const auto comma = items.find(',');
      item(trim(items.substr(0, comma)), first);
      if (comma == items.npos) break;
      items.remove_prefix(comma + 1);
    }
    train::validate(arm_.settings, source_);
    return std::move(arm_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(fmt::format("{}: {}", source_, why));
  }

  /// Takes "NAME:" from the front, if it is there; returns the rest.
  std::string_view take_name() {
    const auto colon = text_.find_first_of(":=");
    if (colon == text_.npos || text_[colon] == '=') return text_;
    const std::string_view name = trim(text_.substr(0, colon));
    const std::string_view rest = trim(text_.substr(colon + 1));
    if (name.empty()) refuse("no name before ':'");
    if (!std::all_of(name.begin(), name.end(), plain))
      refuse(
          fmt::format("the name {} may hold letters, digits, '_', '.' and '-' only", quote(name)));
    if (name == kNone)
      refuse("'none' is the arm without regularizers and takes no settings; name this one, as in " +
             quote("bare: none," + std::string(rest)));
    if (rest.empty()) refuse("nothing follows the name; " + std::string(kGrammar));
    if (rest.find('=') == rest.npos && rest != kNone && train::find_setting(name) != nullptr)
      refuse(fmt::format("did you mean {}?", quote(fmt::format("{}={}", name, rest))));
    arm_.name = std::string(name);
    return rest;
  }

  void item(std::string_view text, bool first) {
    if (text.empty()) refuse("empty item between commas; " + std::string(kGrammar));
    if (text == kNone) {
      if (!first) refuse("'none' must come first: it switches every regularizer off");
      return switch_off();
    }
    const auto equals = text.find('=');
    if (equals == text.npos) return bare_word(text);
    const std::string_view name = trim(text.substr(0, equals));
    const std::string_view value = trim(text.substr(equals + 1));
    if (name.empty()) refuse("no setting before " + quote(text.substr(equals)));
    const train::Row& row =
        cell_ ? cell_setting(name, source_) : arm_setting(name, source_, "no arm may override {}");
    if (value.empty())
      refuse(fmt::format("{} has no value; give {}", row.name, train::domain_text(row)));
    if (std::find(given_.begin(), given_.end(), row.name) != given_.end())
      refuse(fmt::format("{} is set twice; set it once", row.name));
    given_.push_back(row.name);
    if (value.find('|') == value.npos) return override_with(row, value);
    if (cell_)
      refuse(fmt::format("{}: only arms have alternatives; give each value a cell", row.name));
    arm_.grid.push_back(alternatives(row, value, '|', source_));
    train::set(arm_.settings, row.name, arm_.grid.back().values.front(), source_);
    std::erase_if(arm_.overrides,  // what `none` switched off
                  [&](const auto& item) { return item.first == row.name; });
  }

  [[noreturn]] void bare_word(std::string_view word) const {
    if (const train::Row* row = train::find_setting(word))
      refuse(fmt::format("{} has no value; write {}=VALUE with {}", row->name, row->name,
                         train::domain_text(*row)));
    std::vector<std::string_view> known = train::setting_names();
    known.insert(known.begin(), kNone);
    const std::string_view near = base::nearest(word, known);
    const std::string unknown =
        word == text_ ? std::string("unknown arm") : "unknown " + quote(word);
    if (!near.empty())
      refuse(fmt::format("{}; did you mean '{}{}'?", unknown, near, near == kNone ? "" : "=VALUE"));
    refuse(fmt::format("{}; {}", unknown, kGrammar));
  }

  void switch_off() {
    for (const train::Row& row : train::settings_table())
      if (!row.off.empty()) override_with(row, row.off);
  }

  void override_with(const train::Row& row, std::string_view value) {
    train::set(arm_.settings, row.name, value, source_);
    const std::string canonical = train::value_text(arm_.settings, row);
    for (auto& [name, old] : arm_.overrides)
      if (name == row.name) return void(old = canonical);  // what `none` switched off
    arm_.overrides.emplace_back(row.name, canonical);
  }

  std::string_view text_;
  std::string source_;
  bool cell_;
  std::vector<std::string_view> given_;
  Arm arm_;
};

}  // namespace

Arm parse_arm(std::string_view text, const train::Settings& base) {
  return Parser(text, base).parse();
}

void require_of_cells(std::string_view setting, const std::string& source) {
  for (const char* fixed : {"seed", "preset", "text", "val", "test", "csv", "threads", "recompute"})
    base::require(setting != fixed, source, ": ", fixed,
                  " is the same for the whole comparison; choose another setting");
}

std::vector<Level> parse_cells(std::span<const std::string> texts, const train::Settings& base) {
  std::vector<Arm> cells;
  for (const std::string& text : texts) cells.push_back(Parser(text, base, true).parse());
  require_own_names(cells, "cells");
  std::vector<Level> out;
  for (const Arm& cell : cells) out.push_back({cell.name, cell.overrides});
  return out;
}

Alternatives parse_tune(std::string_view text) {
  const std::string source = "--tune " + quote(text);
  const std::size_t equals = text.find('=');
  base::require(equals != text.npos && equals > 0 && equals + 1 < text.size(), source,
                ": give SETTING=V1,V2[,...], such as lr=1e-3,3e-3");
  const train::Row& row = arm_setting(text.substr(0, equals), source, "{} cannot be tuned");
  return alternatives(row, text.substr(equals + 1), ',', source);
}

std::vector<Arm> parse_arms(std::span<const std::string> texts, const train::Settings& base) {
  std::vector<Arm> out;
  for (const std::string& text : texts) out.push_back(parse_arm(text, base));
  require_own_names(out);
  return out;
}

void require_own_names(std::span<const Arm> arms, std::string_view what) {
  for (std::size_t i = 0; i < arms.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (arms[i].name == arms[j].name)
        throw Error(fmt::format("two {} are called {}; give one a name, NAME: SETTING=VALUE", what,
                                quote(arms[i].name)));
}

}  // namespace lab
