// Completion for bash and zsh.
#include <fmt/format.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/shell_words.h"

namespace cli {
namespace {

using base::join;

/// In single quotes, as both shells read it back.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words) {
  return join(std::vector<std::string_view>(words.begin(), words.end()), " ");
}

/// What bash does for the value of a flag, or for an argument.
std::string bash_offer(const Choice& choice) {
  switch (choice.offers) {
    case Offers::kWords:
      return "words=" + in_quotes(joined(choice.words));
    case Offers::kFiles:
      return "files=-f";
    case Offers::kFolders:
      return "files=-d";
    case Offers::kNothing:
      return ":";
  }
  return ":";
}

/// The patterns of case by what is done there.
using Cases = std::map<std::string, std::vector<std::string>>;

std::string case_lines(const Cases& cases) {
  std::string out;
  for (const auto& [action, patterns] : cases)
    out += fmt::format("    {}) {} ;;\n",
                       join(std::vector<std::string_view>(patterns.begin(), patterns.end()), "|"),
                       action);
  return out;
}

/// `text` inside a spec of zsh's _arguments.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_offer(const Choice& choice) {
  switch (choice.offers) {
    case Offers::kWords:
      return "(" + zsh_text(joined(choice.words)) + ")";
    case Offers::kFiles:
      return "_files";
    case Offers::kFolders:
      return "_files -/";
    case Offers::kNothing:
      return " ";
  }
  return " ";
}

std::string zsh_command(const Command& command) {
  std::string out = fmt::format("      {})\n        _arguments", command.name);
  for (const Flag& flag : flags_of(command)) {
    std::string spec = flag.repeatable ? "*--" : "--";
    spec += flag.name + (flag.hint.empty() ? "" : "=") + "[" + zsh_text(flag.help) + "]";
    if (!flag.hint.empty()) spec += ":" + zsh_text(flag.hint) + ":" + zsh_offer(flag.value);
    out += " \\\n          " + in_quotes(spec);
  }
  out += " \\\n          '--help[show this help]'";
  if (command.settings) out += " \\\n          '--help-all[show all flags]'";
  if (!command.argument.empty())
    out += " \\\n          " + in_quotes(fmt::format("*:{}:{}", zsh_text(command.argument),
                                                     zsh_offer(argument_of(command))));
  return out + "\n        ;;\n";
}

int completion(const Parsed& args) {
  if (args.argument == "bash")
    fmt::print("{}", bash_completion());
  else if (args.argument == "zsh")
    fmt::print("{}", zsh_completion());
  else
    throw base::Error(args.argument.empty()
                          ? "completion for which shell? Give bash or zsh"
                          : fmt::format("no completion for {}; choose from bash, zsh",
                                        base::quote(args.argument)));
  return 0;
}

}  // namespace

std::string bash_completion() {
  std::vector<std::string> names;
  Cases of_settings, of_commands, flags, arguments;
  std::set<std::string> seen;
  for (const CommandEntry& entry : commands()) {
    const Command command = make(entry);
    names.emplace_back(command.name);
    std::vector<std::string> words = {"--help", "--help-all"};
    for (const Flag& flag : flags_of(command)) {
      words.push_back("--" + flag.name);
      // The value of a switch follows '=' and is not the next word.
      if (flag.hint.empty()) continue;
      if (!flag.setting)
        of_commands[bash_offer(flag.value)].push_back(
            fmt::format("{}:--{}", command.name, flag.name));
      else if (seen.insert(flag.name).second)
        of_settings[bash_offer(flag.value)].push_back("*:--" + flag.name);
    }
    flags["words=" + in_quotes(joined(words))].emplace_back(command.name);
    if (!command.argument.empty())
      arguments[bash_offer(argument_of(command))].emplace_back(command.name);
  }
  return fmt::format(R"(# bash completion for isodrop, made by 'isodrop completion bash'
_isodrop() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}
  local words='' files=''
  COMPREPLY=()
  # "--flag=value" is three words.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  if (( COMP_CWORD == 1 )); then
    mapfile -t COMPREPLY < <(compgen -W '{} --help --version' -- "$cur")
    return
  fi
  case $command:$prev in
{}{}    *)
      if [[ $cur == -* ]]; then
        case $command in
{}        esac
      else
        case $command in
{}        esac
      fi
      ;;
  esac
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$files" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  fi
}}
complete -F _isodrop isodrop
)",
                     joined(names), case_lines(of_commands), case_lines(of_settings),
                     case_lines(flags), case_lines(arguments));
}

std::string zsh_completion() {
  std::string names, cases;
  for (const CommandEntry& entry : commands()) {
    names += fmt::format("        {}\n",
                         in_quotes(fmt::format("{}:{}", entry.name, zsh_text(entry.summary))));
    cases += zsh_command(make(entry));
  }
  return fmt::format(R"(#compdef isodrop
# zsh completion for isodrop, made by 'isodrop completion zsh'
_isodrop() {{
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a names=(
{}      )
      _describe command names
      ;;
    argument) case $line[1] in
{}      esac ;;
  esac
}}
if [[ $funcstack[1] == _isodrop ]]; then
  _isodrop "$@"
else
  compdef _isodrop isodrop
fi
)",
                     names, cases);
}

// `isodrop completion`: the shells' scripts, made from the tables.
Command completion_command() {
  Command c;
  c.summary = "Print a script for the shell's completion of isodrop's commands, flags and values.";
  c.settings = false;
  c.argument = "SHELL";
  c.argument_choices = {"bash", "zsh"};
  c.examples = {"source <(isodrop completion bash)   # in ~/.bashrc",
                "source <(isodrop completion zsh)    # in ~/.zshrc, after compinit"};
  c.run = completion;
  return c;
}

}  // namespace cli
