#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cxxopts.hpp>
#include <stdexcept>

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/budget.h"

namespace cli {
namespace {

using engine::Error;
using engine::quote;

/// The flag of a setting: "n_layer" -> "n-layer".
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

bool is_switch(const train::Row& row) { return std::holds_alternative<train::Switch>(row.domain); }

std::string see_help(const Command& command) {
  return fmt::format("see '{} --help'", call(command));
}

[[noreturn]] void refuse_unmatched(const Command& command, std::string word,
                                   std::span<const char* const> argv) {
  if (word.starts_with('-')) {
    // "-lr" arrives as "-l" and "-r": show what was typed.
    for (const std::string_view typed : argv)
      if (!typed.starts_with("--") && typed.starts_with(word)) {
        word = typed;
        break;
      }
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> flags = {"--help"};
    for (const train::Row* row : rows_of(command)) flags.push_back("--" + flag_of(row->name));
    for (const Extra& extra : command.extras) flags.push_back("--" + std::string(extra.flag));
    const auto bare = [](std::string_view flag) {
      return flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
    };
    std::vector<std::string_view> names;
    for (const std::string& flag : flags) names.push_back(bare(flag));
    const std::string_view near = engine::nearest(bare(name), names);
    throw Error(
        fmt::format("unknown flag {}; {}", quote(name),
                    near.empty() ? see_help(command) : fmt::format("did you mean '--{}'?", near)));
  }
  if (word == "true" || word == "false")
    throw Error(
        fmt::format("unexpected argument {}; the value of a switch follows '=', as in "
                    "--bias={}",
                    quote(word), word));
  throw Error(fmt::format("unexpected argument {}; flags are written --FLAG VALUE, {}", quote(word),
                          see_help(command)));
}

/// cxxopts splits the words; what they mean is decided here.
cxxopts::ParseResult split(const Command& command, int argc, const char* const* argv) {
  cxxopts::Options options("isodrop");
  options.allow_unrecognised_options();
  const auto add = [&](const std::string& names, bool takes_value) {
    auto value = cxxopts::value<std::string>();
    options.add_options()(names, "", takes_value ? value : value->implicit_value("true"));
  };
  add("h,help", false);
  for (const train::Row* row : rows_of(command)) add(flag_of(row->name), !is_switch(*row));
  for (const Extra& extra : command.extras) add(std::string(extra.flag), !extra.hint.empty());
  try {
    return options.parse(argc, argv);
  } catch (const cxxopts::exceptions::missing_argument&) {
    throw Error(fmt::format("{} needs a value; {}", argv[argc - 1], see_help(command)));
  } catch (const cxxopts::exceptions::parsing& e) {
    throw Error(fmt::format("{}; {}", e.what(), see_help(command)));
  }
}

void check_extra(const Extra& extra, const std::string& value) {
  std::vector<std::string_view> choices = extra.choices;
  if (extra.hint.empty()) choices = {"true", "false"};
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw Error(fmt::format("--{} {} is unknown; {}", extra.flag, quote(value),
                          engine::suggest(value, choices)));
}

}  // namespace

Parsed parse(const Command& command, int argc, const char* const* argv) {
  Parsed out;
  for (const Extra& extra : command.extras)
    out.extras_[std::string(extra.flag)] = {{}, std::string(extra.fallback)};
  const std::vector<train::Assignment>& base = command.defaults;
  out.settings = train::resolve({}, base);
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (const std::string_view word = argv[i]; word == "-h" || word == "--help") out.help = true;
  if (out.help || argc < 1) return out;

  const cxxopts::ParseResult words = split(command, argc, argv);
  for (const auto& word : words.arguments()) {
    const std::string& value = word.value();
    if (value.empty() || value.starts_with("--"))
      throw Error(fmt::format("--{} needs a value{}; {}", word.key(),
                              value.empty() ? "" : ", and " + quote(value) + " is a flag",
                              see_help(command)));
  }
  std::vector<std::string> stray = words.unmatched();
  if (!command.argument.empty() && !stray.empty() && !stray[0].starts_with('-')) {
    out.argument = stray[0];
    stray.erase(stray.begin());
  }
  if (!stray.empty())
    refuse_unmatched(command, stray[0], {argv + 1, static_cast<std::size_t>(argc - 1)});

  std::map<std::string, std::string> seen;
  std::vector<train::Assignment> assignments;
  for (const auto& word : words.arguments()) {
    const std::string flag = "--" + word.key(), &value = word.value();
    const auto extra = std::find_if(command.extras.begin(), command.extras.end(),
                                    [&](const Extra& e) { return e.flag == word.key(); });
    const bool own = extra != command.extras.end();
    if (!(own && extra->repeatable))
      if (const auto [before, first] = seen.emplace(flag, value); !first)
        throw Error(fmt::format("{} is given twice, {} and {}; give it once", flag,
                                quote(before->second), quote(value)));
    if (own) {
      check_extra(*extra, value);
      out.extras_[word.key()].values.push_back(value);
    } else if (const train::Row* row = train::find_setting(word.key())) {
      out.given.emplace(row->name);
      assignments.push_back({std::string(row->name), value, flag});
    }
  }
  out.settings = train::resolve(out.settings, assignments);
  train::validate(out.settings);
  return out;
}

const Parsed::Values& Parsed::find(std::string_view flag) const {
  const auto it = extras_.find(flag);
  if (it == extras_.end())
    throw std::logic_error("this command declares no flag --" + std::string(flag));
  return it->second;
}

bool Parsed::has(std::string_view flag) const { return !find(flag).values.empty(); }

const std::string& Parsed::text(std::string_view flag) const {
  const Values& v = find(flag);
  return v.values.empty() ? v.fallback : v.values.back();
}

const std::vector<std::string>& Parsed::all(std::string_view flag) const {
  return find(flag).values;
}

std::int64_t Parsed::integer(std::string_view flag, std::int64_t low, std::int64_t high) const {
  std::int64_t out = 0;
  if (train::parse_number(text(flag), out) != std::errc{} || out < low || out > high)
    throw Error(fmt::format("--{} {}: give a whole number {}", flag, quote(text(flag)),
                            high == std::numeric_limits<std::int64_t>::max()
                                ? fmt::format("of at least {}", low)
                                : fmt::format("in [{}, {}]", low, high)));
  return out;
}

double Parsed::real(std::string_view flag, double low, double high) const {
  double out = 0;
  if (train::parse_number(text(flag), out) != std::errc{} || out < low || out > high)
    throw Error(
        fmt::format("--{} {}: give a number in [{}, {}]", flag, quote(text(flag)), low, high));
  return out;
}

namespace {

/// `text` in lines of at most `width`, all but the first indented.
std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = indent;
  bool fresh = true;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!fresh && column + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!fresh) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    fresh = false;
  }
  return out;
}

}  // namespace

std::string call(const Command& command) {
  return command.call.empty() ? fmt::format("isodrop {}", command.name) : command.call;
}

std::string help(const Command& command, std::size_t width, bool color) {
  constexpr std::size_t kIndent = 22;
  const auto heading = [&](std::string_view text) {
    return color ? fmt::format("\n\x1b[1m{}\x1b[0m\n", text) : fmt::format("\n{}\n", text);
  };
  const auto line = [&](const std::string& flag, const std::string& text) {
    const std::string left = "  --" + flag;
    const bool fits = left.size() + 2 <= kIndent;
    return left +
           (fits ? std::string(kIndent - left.size(), ' ') : "\n" + std::string(kIndent, ' ')) +
           wrap(text, kIndent, width) + "\n";
  };
  std::string out = wrap(command.summary, 0, width) + "\n";
  out += heading("usage");
  out += fmt::format("  {}{}{} [FLAGS]\n", call(command), command.argument.empty() ? "" : " ",
                     command.argument);
  if (!command.extras.empty()) out += heading("this command");
  for (const Extra& extra : command.extras) {
    std::string text(extra.help);
    const std::string about = engine::join(extra.choices);
    if (!about.empty()) text += ": one of " + about;
    if (extra.repeatable) text += ", may be repeated";
    if (!extra.fallback.empty()) text += fmt::format(" (default {})", extra.fallback);
    out += line(fmt::format("{}{}{}", extra.flag, extra.hint.empty() ? "" : " ", extra.hint), text);
  }
  const train::Settings defaults = train::resolve({}, command.defaults);
  for (const train::Group group : train::kGroups) {
    std::string lines;
    for (const train::Row* row : rows_of(command))
      if (row->group == group)
        lines += line(flag_of(row->name) + (is_switch(*row) ? "" : " ") + train::hint_text(*row),
                      train::help_text(*row, defaults));
    if (!lines.empty()) out += heading(train::title(group)) + lines;
  }
  if (!command.examples.empty()) out += heading("examples");
  for (const std::string_view example : command.examples) out += fmt::format("  {}\n", example);
  return out;
}

}  // namespace cli
