// --config FILE.toml: settings and a command's own flags, by the names of the flags.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cli/options.h"

namespace cli {

/// One key of the file, its values as a flag would have them.
struct ConfigValue {
  std::string name, source;  // of the setting or flag; "FILE:LINE:COLUMN"
  std::vector<std::string> values;
  const Extra* extra = nullptr;  // null: a setting
};

/// What the file says to `command`. Keys may be written with '-' or '_'. Settings that this command
/// does not take (the budget of `profile`) are passed over, so that commands share a file. Throws
/// base::Error with line and column: not TOML, an unknown key, one that stands there twice, a
/// value of a wrong type.
std::vector<ConfigValue> read_config(const std::filesystem::path& path, const Command& command);

}  // namespace cli
