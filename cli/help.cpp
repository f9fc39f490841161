// The help of a command: short with the flags most people need, or all of them.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/text_table.h"
#include "cli/options.h"

namespace cli {
namespace {

/// Settings that the short help of every command shows.
constexpr std::string_view kCommonSettings[] = {"preset", "text",   "dropout", "reg",
                                                "lr",     "budget", "seed",    "threads"};

/// One flag as it is typed, and what it does.
struct Entry {
  std::string flag, text;
};

std::string with_hint(std::string flag, std::string_view hint) {
  return hint.empty() ? flag : fmt::format("{} {}", flag, hint);
}

Entry entry_of(const Extra& extra) {
  const std::string letter = extra.letter.empty() ? "" : fmt::format("-{}, ", extra.letter);
  return {with_hint(fmt::format("{}--{}", letter, extra.flag), extra.hint), help_of(extra)};
}

Entry entry_of(const train::Row& row, const train::Settings& defaults) {
  return {with_hint("--" + flag_of(row.name), train::hint_text(row)),
          train::help_text(row, defaults)};
}

/// The flags in a column of their own; a long one has its text on the next line.
std::string lines_of(const std::vector<Entry>& entries, std::size_t width) {
  const std::size_t widest = width < 70 ? 16 : 24;
  std::size_t column = 0;
  for (const Entry& e : entries)
    if (e.flag.size() <= widest) column = std::max(column, e.flag.size());
  const std::size_t indent = column + 4;
  std::string out;
  for (const Entry& e : entries) {
    const std::string text = base::wrapped(e.text, width - indent);
    out += fmt::format("  {:<{}}", e.flag, column);
    out += e.flag.size() > column ? "\n" + std::string(indent, ' ') : "  ";
    for (const char c : text)
      out += c == '\n' ? "\n" + std::string(indent, ' ') : std::string(1, c);
    out += '\n';
  }
  return out;
}

bool is_common(const Command& command, const Extra& extra) {
  return extra.common ||
         (!command.settings && std::none_of(command.extras.begin(), command.extras.end(),
                                            [](const Extra& e) { return e.common; }));
}

bool is_common(const train::Row& row) {
  return std::find(std::begin(kCommonSettings), std::end(kCommonSettings), row.name) !=
         std::end(kCommonSettings);
}

}  // namespace

std::string help_of(const Extra& extra) {
  std::string text(extra.help);
  if (const std::string about = base::join(extra.choices); !about.empty())
    text += ": one of " + about;
  if (extra.repeatable) text += "; may be repeated";
  if (!extra.fallback.empty()) text += fmt::format(" (default {})", extra.fallback);
  return text;
}

std::string help(const Command& command, std::size_t width, bool all) {
  const train::Settings defaults = train::resolve({}, command.defaults);
  std::vector<Entry> own;
  std::size_t left_out = 0;
  const auto add = [&](bool wanted, Entry entry) {
    wanted ? own.push_back(std::move(entry)) : static_cast<void>(++left_out);
  };
  for (const Extra& extra : command.extras) add(all || is_common(command, extra), entry_of(extra));
  if (!all)
    for (const train::Row* row : rows_of(command)) add(is_common(*row), entry_of(*row, defaults));
  own.push_back({"-h, --help", "show this help"});
  if (left_out > 0)
    own.push_back({"--help-all", fmt::format("show all flags, {} more", left_out)});
  else if (command.settings)
    own.push_back({"--help-all", "show all flags"});

  std::string out =
      base::wrapped(command.summary, width) + "\n\n" +
      base::wrapped(fmt::format("Usage: {}{}{} [FLAGS]", call(command),
                                command.argument.empty() ? "" : " ", command.argument),
                    width) +
      "\n\nOptions:\n" + lines_of(own, width);
  if (all)
    for (const train::Group group : train::kGroups) {
      std::vector<Entry> entries;
      for (const train::Row* row : rows_of(command))
        if (row->group == group) entries.push_back(entry_of(*row, defaults));
      if (entries.empty()) continue;
      std::string title(train::title(group));
      title[0] = static_cast<char>(title[0] - 'a' + 'A');
      out += fmt::format("\n{} options:\n{}", title, lines_of(entries, width));
    }
  if (!command.examples.empty()) out += "\nExamples:\n";
  for (const std::string_view example : command.examples)
    out += fmt::format("  {}\n", example);  // whole, to be copied
  return out;
}

}  // namespace cli
