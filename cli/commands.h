// The commands of the program, one file each. To add one: a file with its function, and a row (with
// the declaration above it) in commands.cpp.
#pragma once
#include <span>
#include <string_view>

#include "cli/options.h"

namespace cli {

struct CommandEntry {
  std::string_view name, summary;
  Command (*make)();
};

std::span<const CommandEntry> commands();

/// The whole of a command, with its name and the flags that all of its kind have.
Command make(const CommandEntry& entry);

/// Reads argv[1..], shows the help or runs the command, with the threads that its settings ask for.
/// Exit code; throws base::Error for bad input.
int run(const CommandEntry& entry, int argc, const char* const* argv);

}  // namespace cli
