// The command line of one command: the flags of the settings table and the command's own.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "train/config/settings.h"

namespace train {
struct Launch;
}

namespace cli {

/// A flag of one command that is no setting of a run.
struct Extra {
  std::string_view flag;           // without the dashes
  std::string_view hint = {};      // what its value is, "DIR"; empty: a switch without value
  std::string_view fallback = {};  // the value if it is not given
  std::string_view help;
  bool repeatable = false;
  std::vector<std::string_view> choices = {};  // the only values; empty: any
  std::string_view only_with = {};             // the flag without which this one does nothing
  std::string_view not_with = {};              // the flag with which it does nothing
  std::string_view letter = {};                // its short form, "n"
  bool common = false;                         // in the short help; if none is, all are
};

class Parsed;

struct Command {
  std::string_view name;
  std::string summary;
  std::vector<Extra> extras = {};
  bool settings = true;                        // takes the settings' flags
  std::vector<std::string_view> without = {};  // but not these
  // What this command starts from. A preset on the command line overrides the settings in it.
  std::vector<train::Assignment> defaults = {};
  // What it starts from if its own flags decide that; null: the defaults.
  train::Settings (*base)(const Parsed& extras) = nullptr;
  // Hint of its argument without a flag, "FILE..." of any number of them; empty: takes none.
  std::string_view argument = {};
  std::vector<std::string_view> argument_choices = {};  // what shells offer for it; empty: by hint
  std::vector<std::string_view> examples = {};
  std::string call = {};                     // how it is called; empty: "isodrop NAME"
  int (*run)(const Parsed& args) = nullptr;  // exit code; throws base::Error for bad input
  // Started as several processes by mpirun: each runs it by itself; or the first one does, and this
  // is what the others do. Otherwise it is refused.
  bool each_process = false;
  int (*follow)(const train::Launch& launch) = nullptr;
};

/// --config, of commands that take settings.
Extra config_flag();

/// The rows of the settings that the command takes.
std::vector<const train::Row*> rows_of(const Command& command);
/// The flag of a setting, without the dashes: "n_layer" -> "n-layer".
std::string flag_of(std::string_view setting);

/// What to type for the command: "isodrop train".
std::string call(const Command& command);

class Parsed {
 public:
  train::Settings settings;            // defaults, preset and flags; validated
  std::set<std::string> given;         // names of the settings that flags or --config gave
  std::string argument;                // without a flag; empty if not given
  std::vector<std::string> arguments;  // all of them, where the command takes several
  bool help = false;                   // asked for: nothing else is read
  bool help_all = false;               // likewise, with every flag

  /// Whether the command has such an extra flag.
  bool knows(std::string_view flag) const { return extras_.contains(flag); }
  /// Whether the extra flag was given; of a switch, whether it is on.
  bool has(std::string_view flag) const;
  /// Its value, or its fallback. A switch is "true" when given.
  const std::string& text(std::string_view flag) const;
  /// All values of a repeatable flag, in order.
  const std::vector<std::string>& all(std::string_view flag) const;
  /// The value as a number within a range; throws Error.
  std::int64_t integer(std::string_view flag, std::int64_t low,
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  double real(std::string_view flag, double low, double high) const;
  /// Gives a flag that was not given the value that an earlier command kept in the file `source`.
  void recall(std::string_view flag, const std::string& value, const std::string& source);
  /// The names in it, between commas, each once; throws Error where one is none of the known `what`
  /// ("log").
  std::vector<std::string> names(std::string_view flag, std::string_view what,
                                 const std::vector<std::string_view>& known) const;

 private:
  friend Parsed parse(const Command&, int, const char* const*);
  struct Values {
    std::vector<std::string> values;
    std::string fallback;
    bool is_switch = false;
    std::string source;  // "--seeds", or where it stands in the config file: "FILE:2:1: seeds"
  };
  const Values& find(std::string_view flag) const;
  std::map<std::string, Values, std::less<>> extras_;
};

/// Reads argv[1..], and below it what --config names; throws Error for an unknown, repeated or
/// incomplete flag, a stray argument, or a value that is not allowed.
Parsed parse(const Command& command, int argc, const char* const* argv);

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

/// The help of a command, wrapped at words to at most `width` columns: every flag, or the short one
/// with the flags most people need.
std::string help(const Command& command, std::size_t width, bool all = true);
/// What help and completion say about a flag, with its choices and default.
std::string help_of(const Extra& extra);
/// "isodrop train …" with the flags of what is not as the preset has it; words that a shell would
/// read are quoted.
std::string train_command_text(const train::Settings& settings);

/// --store, where the runs are.
Extra store_flag();
std::filesystem::path store_path(const Parsed& args);

/// --bin-type, of commands that do not take it as a setting: how the .bin of `flag` is read.
Extra bin_type_flag(std::string_view flag);

/// --format, the first of them by default.
Extra format_flag(std::vector<std::string_view> formats, std::string_view what = "output format");

/// --product-tuning: whether matmul variants are timed. heed_product_tuning() puts it into the
/// environment, for plans and for the processes that this one starts. It does nothing for a command
/// without the flag.
Extra product_tuning_flag();
void heed_product_tuning(const Command& command, const Parsed& args);

}  // namespace cli
