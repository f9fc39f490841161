// The manual page.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/shell_words.h"
#include "isodrop_version.h"

namespace cli {
namespace {

/// Text as roff prints it: no escapes, no requests.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

std::string flag_lines(const Flag& flag) {
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff("--" + flag.name),
                     flag.hint.empty() ? "" : " \\fI" + roff(flag.hint) + "\\fR", roff(flag.help));
}

int man(const Parsed&) {
  fmt::print("{}", manual());
  return 0;
}

}  // namespace

std::string manual() {
  std::string out = fmt::format(
      ".TH ISODROP 1 \"\" \"isodrop {}\" \"User Commands\"\n.SH NAME\nisodrop \\- at the same "
      "compute, does dropout pay?\n.SH SYNOPSIS\n.B isodrop\n\\fICOMMAND\\fR [\\fIFLAGS\\fR]\n"
      ".SH DESCRIPTION\nTrains small GPTs on a CPU, compares regularization regimes at equal "
      "compute on paired seeds, and puts claims about dropout to the test.\n.SH COMMANDS\n",
      ISODROP_VERSION);
  std::vector<Flag> settings;
  for (const CommandEntry& entry : commands()) {
    const Command command = make(entry);
    out += fmt::format(".SS isodrop {}{}\n{}\n", command.name,
                       command.argument.empty() ? "" : " " + roff(command.argument),
                       roff(command.summary));
    for (const Flag& flag : flags_of(command))
      if (!flag.setting) out += flag_lines(flag);
    if (command.settings) {
      std::string without;
      for (const std::string_view name : command.without)
        without += (without.empty() ? ", but not " : ", ") + flag_of(name);
      out += fmt::format(".PP\nTakes the settings below{}.\n", roff(without));
      if (command.name == "train")  // starts from their defaults
        for (const Flag& flag : flags_of(command))
          if (flag.setting) settings.push_back(flag);
    }
    for (const std::string_view example : command.examples)
      out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(example));
  }
  out +=
      ".SH SETTINGS\nFor every command that takes them; \\fB\\-\\-config\\fR "
      "reads them from a file.\n";
  for (const Flag& flag : settings) out += flag_lines(flag);
  out += R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
A run could not be made, a check failed, or an internal error.
.TP
.B 2
Bad input; one line on standard error says what is wrong and what to do.
.TP
.B 3
Training diverged.
.TP
.B 4
The time limit was reached.
.TP
.B 5
The result of a run could not be written (a full disk); 'isodrop train --resume' finishes it.
.TP
.B 75
Another process is making the run.
.TP
.B 128 + N
Stopped by signal N.
.SH ENVIRONMENT
.TP
.B ISODROP_STORE
Folder of all runs; out/runs if it is not set.
.TP
.B ISODROP_TUNING
off: matmul variants are neither timed nor taken from the cache.
.TP
.B ISODROP_STUDIES
Folder of the studies, instead of those that came with isodrop.
.TP
.B NO_COLOR
No colour on the terminal.
)";
  return out;
}

// `isodrop man`: made from the tables, so that it says what this program takes.
Command man_command() {
  Command c;
  c.summary = "Print the manual page as roff; an installed isodrop has it as isodrop(1).";
  c.settings = false;
  c.examples = {"isodrop man | man -l -"};
  c.run = man;
  return c;
}

}  // namespace cli
