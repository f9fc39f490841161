// The commands of the program, one file each.
#pragma once
#include <span>
#include <string_view>

namespace cli {

struct CommandEntry {
  std::string_view name, summary;
  int (*run)(int argc, const char* const* argv);  // exit code; throws engine::Error for bad input
};

std::span<const CommandEntry> commands();

int compare_command(int argc, const char* const* argv);
int list_command(int argc, const char* const* argv);
int probe_command(int argc, const char* const* argv);
int profile_command(int argc, const char* const* argv);
int train_command(int argc, const char* const* argv);

}  // namespace cli
