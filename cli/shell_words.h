// Commands and flags as shells and the manual page need them: made of the commands' tables.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace cli {

enum class Offers : std::uint8_t { kNothing, kWords, kFiles, kFolders };

/// What may stand in a place of the command line.
struct Choice {
  Offers offers = Offers::kNothing;
  std::vector<std::string> words = {};
};

struct Flag {
  std::string name, hint, help;  // without the dashes; hint empty: a switch
  bool repeatable = false;
  bool setting = false;
  Choice value = {};
};

/// All flags of a command, its own first; --help is not among them.
std::vector<Flag> flags_of(const Command& command);
/// Of its argument.
Choice argument_of(const Command& command);

/// The scripts that `isodrop completion` prints.
std::string bash_completion();
std::string zsh_completion();

/// The manual page, in man(7)'s macros.
std::string manual();

}  // namespace cli
