// The commands of the program, one file each. To add one: a file with its function, and a row (with
// the declaration above it) in commands.cpp.
#pragma once
#include <span>
#include <string_view>

namespace cli {

struct CommandEntry {
  std::string_view name, summary;
  int (*run)(int argc, const char* const* argv);  // exit code; throws engine::Error for bad input
};

std::span<const CommandEntry> commands();

}  // namespace cli
