#include "cli/shell_words.h"

#include <algorithm>

#include "base/text.h"
#include "models/regularizer_table.h"

namespace cli {
namespace {

/// By the hint of a value: "FILE.json", "PATH", "DIR", "FOLDER|ID".
Choice by_hint(std::string_view hint) {
  const auto begins = [&](std::string_view word) { return hint.starts_with(word); };
  if (begins("FILE") || begins("PATH") || begins("SPEC")) return {Offers::kFiles, {}};
  if (begins("DIR") || begins("FOLDER") || begins("RUN")) return {Offers::kFolders, {}};
  return {};
}

std::vector<std::string> strings(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

Choice choice_of(const train::Row& row) {
  if (const auto* choices = std::get_if<train::Choices>(&row.domain))
    return {Offers::kWords, strings(choices->list())};
  if (row.name == "reg") {
    std::vector<std::string> names = {"none"};
    for (const models::Regularizer& r : models::regularizer_table()) names.emplace_back(r.name);
    return {Offers::kWords, names};
  }
  return by_hint(train::hint_text(row));
}

}  // namespace

std::vector<Flag> flags_of(const Command& command) {
  std::vector<Flag> out;
  for (const Extra& e : command.extras) {
    Flag flag{std::string(e.flag), std::string(e.hint), help_of(e), e.repeatable};
    flag.value = e.choices.empty() ? by_hint(e.hint) : Choice{Offers::kWords, strings(e.choices)};
    out.push_back(std::move(flag));
  }
  const train::Settings defaults = train::resolve({}, command.defaults);
  for (const train::Row* row : rows_of(command))
    out.push_back({flag_of(row->name), train::hint_text(*row), train::help_text(*row, defaults),
                   false, true, choice_of(*row)});
  return out;
}

Choice argument_of(const Command& command) {
  if (!command.argument_choices.empty()) return {Offers::kWords, strings(command.argument_choices)};
  return by_hint(command.argument);
}

}  // namespace cli
