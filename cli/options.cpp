#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cxxopts.hpp>
#include <stdexcept>

#include "base/error.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace cli {
namespace {

using base::Error;
using base::quote;

constexpr std::string_view kConfig = "config";

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
    std::vector<std::string> flags = {"--help", "--help-all"};
    for (const train::Row* row : rows_of(command)) flags.push_back("--" + flag_of(row->name));
    for (const Extra& extra : command.extras) flags.push_back("--" + std::string(extra.flag));
    const auto bare = [](std::string_view flag) {
      return flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
    };
    std::vector<std::string_view> names;
    for (const std::string& flag : flags) names.push_back(bare(flag));
    const std::string_view near = base::nearest(bare(name), names);
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

/// All flags, for cxxopts to split the words by; the help is made in help.cpp.
cxxopts::Options options_of(const Command& command) {
  cxxopts::Options options(call(command), "");
  options.allow_unrecognised_options();  // so that the error can say what was meant
  const auto add = [&](const std::string& names, bool is_switch, std::string_view fallback) {
    auto value = cxxopts::value<std::string>();
    if (is_switch) value->implicit_value("true");
    if (!fallback.empty()) value->default_value(std::string(fallback));
    options.add_options()(names, "", value);
  };
  for (const Extra& extra : command.extras) {
    const std::string letter = extra.letter.empty() ? "" : fmt::format("{},", extra.letter);
    add(letter + std::string(extra.flag), extra.hint.empty(), extra.fallback);
  }
  for (const train::Row* row : rows_of(command)) add(flag_of(row->name), is_switch(*row), "");
  return options;
}

/// The words as cxxopts takes them. Its pattern of a flag matches no line end and recurses for
/// every character, so values behind '=' and long words stay here, and it is given marks in their
/// place.
class Words {
 public:
  Words(int argc, const char* const* argv) {
    for (int i = 0; i < argc; ++i) {
      const std::string word = argv[i];
      const std::size_t equals = word.starts_with("--") ? word.find('=') : word.npos;
      if (equals < kLongestFlag && equals + 1 < word.size())
        words_.push_back(word.substr(0, equals + 1) + mark(word.substr(equals + 1)));
      else
        words_.push_back(word.starts_with(kMark) || word.size() > kLongestFlag ? mark(word) : word);
    }
    for (const std::string& word : words_) argv_.push_back(word.c_str());
  }
  const char* const* argv() const { return argv_.data(); }
  /// What was typed, of a value or of a word.
  std::string typed(const std::string& value) const {
    const std::size_t at = value.starts_with("--") ? value.find('=') + 1 : 0;
    if (at >= value.size() || value[at] != kMark) return value;
    return value.substr(0, at) + values_.at(std::stoul(value.substr(at + 1)));
  }

 private:
  static constexpr char kMark = '\x01';
  static constexpr std::size_t kLongestFlag = 256;
  std::string mark(std::string value) {
    values_.push_back(std::move(value));
    return kMark + std::to_string(values_.size() - 1);
  }
  std::vector<std::string> words_, values_;
  std::vector<const char*> argv_;
};

/// cxxopts splits the words; what they mean is decided here.
cxxopts::ParseResult split(const Command& command, int argc, const char* const* argv) {
  try {
    return options_of(command).parse(argc, argv);
  } catch (const cxxopts::exceptions::missing_argument&) {
    throw Error(fmt::format("{} needs a value; {}", argv[argc - 1], see_help(command)));
  } catch (const cxxopts::exceptions::parsing& e) {
    throw Error(fmt::format("{}; {}", e.what(), see_help(command)));
  }
}

void check_extra(const Extra& extra, const std::string& value, const std::string& source) {
  std::vector<std::string_view> choices = extra.choices;
  if (extra.hint.empty()) choices = {"true", "false"};
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw Error(
      fmt::format("{} {} is unknown; {}", source, quote(value), base::suggest(value, choices)));
}

}  // namespace

Parsed parse(const Command& command, int argc, const char* const* argv) {
  Parsed out;
  for (const Extra& extra : command.extras)
    out.extras_[std::string(extra.flag)] = {
        {}, std::string(extra.fallback), extra.hint.empty(), "--" + std::string(extra.flag)};
  const std::vector<train::Assignment>& base = command.defaults;
  out.settings = train::resolve({}, base);
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (const std::string_view word = argv[i]; word == "-h" || word == "--help")
      out.help = true;
    else if (word == "--help-all")
      out.help_all = true;
  if (out.help || out.help_all || argc < 1) return out;

  const Words line(argc, argv);
  const cxxopts::ParseResult words = split(command, argc, line.argv());
  for (const auto& word : words.arguments()) {
    const std::string& value = word.value();
    if (value.empty() || value.starts_with("--"))
      throw Error(
          fmt::format("--{} needs a value{}; {}", word.key(),
                      value.empty() ? "" : ", and " + quote(line.typed(value)) + " is a flag",
                      see_help(command)));
  }
  std::vector<std::string> stray = words.unmatched();
  for (std::string& word : stray) word = line.typed(word);
  const bool several = command.argument.ends_with("...");
  while (!command.argument.empty() && !stray.empty() && !stray[0].starts_with('-') &&
         (several || out.arguments.empty())) {
    out.arguments.push_back(stray[0]);
    stray.erase(stray.begin());
  }
  if (!out.arguments.empty()) out.argument = out.arguments.front();
  if (!stray.empty())
    refuse_unmatched(command, stray[0], {argv + 1, static_cast<std::size_t>(argc - 1)});

  std::map<std::string, std::string> seen;
  std::vector<train::Assignment> assignments;
  for (const auto& word : words.arguments()) {
    const std::string flag = "--" + word.key(), value = line.typed(word.value());
    const auto extra = std::find_if(command.extras.begin(), command.extras.end(),
                                    [&](const Extra& e) { return e.flag == word.key(); });
    const bool own = extra != command.extras.end();
    if (!(own && extra->repeatable))
      if (const auto [before, first] = seen.emplace(flag, value); !first)
        throw Error(fmt::format("{} is given twice, {} and {}; give it once", flag,
                                quote(before->second), quote(value)));
    if (own) {
      check_extra(*extra, value, flag);
      out.extras_[word.key()].values.push_back(value);
    } else if (const train::Row* row = train::find_setting(word.key())) {
      out.given.emplace(row->name);
      assignments.push_back({std::string(row->name), value, flag});
    }
  }
  std::vector<train::Assignment> below;
  if (out.knows(kConfig) && out.has(kConfig))
    for (ConfigValue& v : read_config(out.text(kConfig), command)) {
      if (v.extra == nullptr) {
        out.given.emplace(v.name);
        below.push_back({v.name, v.values.front(), v.source});
      } else if (auto& values = out.extras_[v.name]; values.values.empty()) {  // flags win
        values.source = v.source + ": " + v.name;
        for (const std::string& value : v.values) check_extra(*v.extra, value, values.source);
        values.values = std::move(v.values);
      }
    }
  for (const Extra& extra : command.extras) {
    if (!out.has(extra.flag)) continue;
    const std::string given = fmt::format("{}{}", out.find(extra.flag).source,
                                          extra.hint.empty() ? "" : " " + out.text(extra.flag));
    if (!extra.only_with.empty() && !out.has(extra.only_with))
      throw Error(fmt::format("{} does nothing without --{}; give that too, or leave it out", given,
                              extra.only_with));
    if (!extra.not_with.empty() && out.has(extra.not_with))
      throw Error(
          fmt::format("{} does nothing with --{}; leave one of them out", given, extra.not_with));
  }
  if (command.base != nullptr) out.settings = command.base(out);
  out.settings = train::resolve(train::resolve(out.settings, below), assignments);
  train::validate(out.settings);
  return out;
}

}  // namespace cli
