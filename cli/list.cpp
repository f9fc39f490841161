#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace cli {
namespace {

std::vector<std::string_view> names() {
  std::vector<std::string_view> out;
  for (const Listing& listing : listings()) out.push_back(listing.name);
  return out;
}

void print_text(const std::vector<ListEntry>& entries) {
  const bool bold = color(stdout);
  std::size_t width = 0, label_width = 0;
  for (const ListEntry& entry : entries) {
    width = std::max(width, entry.name.size());
    for (const auto& [label, detail] : entry.details)
      label_width = std::max(label_width, label.size());
  }
  for (const ListEntry& entry : entries) {
    const std::string name = fmt::format("{:<{}}", entry.name, width);
    fmt::print("{}  {}\n", bold ? fmt::format("\x1b[1m{}\x1b[0m", name) : name, entry.help);
    for (const auto& [label, detail] : entry.details)
      fmt::print("{:{}}  {:<{}}  {}\n", "", width, label, label_width, detail);
  }
}

void print_json(const std::vector<ListEntry>& entries) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const ListEntry& entry : entries) {
    nlohmann::ordered_json item = {{"name", entry.name}, {"help", entry.help}};
    for (const auto& [label, detail] : entry.details) item[label] = detail;
    out.push_back(std::move(item));
  }
  fmt::print("{}", base::json_text(out));
}

int list(const Parsed& args) {
  if (args.argument.empty())
    throw base::Error(fmt::format("list what? Choose from {}", base::join(names())));
  for (const Listing& listing : listings()) {
    if (listing.name != args.argument) continue;
    args.text("format") == "json" ? print_json(listing.entries()) : print_text(listing.entries());
    return 0;
  }
  throw base::Error(fmt::format("no list {}; {}", base::quote(args.argument),
                                base::suggest(args.argument, names())));
}

}  // namespace

Command list_command() {
  Command c;
  c.summary =
      fmt::format("List what there is to choose from. WHAT is one of: {}.", base::join(names()));
  c.extras = {format_flag({"text", "json"})};
  c.settings = false;
  c.argument = "WHAT";
  c.argument_choices = names();
  c.examples = {"isodrop list regularizers", "isodrop list settings --format json"};
  c.run = list;
  return c;
}

}  // namespace cli
