// The commands of the program, one file each. To add one: a file with its function, and a row (with
// the declaration above it) in commands.cpp.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options.h"

namespace cli {

struct CommandEntry {
  std::string_view name, summary;
  Command (*make)();
  bool first = false;  // one to begin with
};

std::span<const CommandEntry> commands();

/// The whole of a command, with its name and the flags that all of its kind have.
Command make(const CommandEntry& entry);

/// Reads argv[1..], shows the help or runs the command, with the threads that its settings ask for.
/// Exit code; throws base::Error for bad input.
int run(const CommandEntry& entry, int argc, const char* const* argv);

struct ListEntry {
  std::string name, help;
  std::vector<std::pair<std::string, std::string>> details;  // label and text, in order
};

struct Listing {
  std::string_view name, help;
  std::vector<ListEntry> (*entries)();
};

/// One row a table. To show another one, add a function and its row in list.cpp.
std::span<const Listing> listings();

/// `isodrop run --list`: many specs, shared with other processes that work through the same list.
/// Exit code: 0, kNoRun, or lab::kRunBusy.
int run_list(const Parsed& args);

}  // namespace cli
