// isodrop: does dropout pay, at the same compute?
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/text_table.h"
#include "cli/commands.h"
#include "cli/cpu_check.h"
#include "cli/process.h"
#include "cli/terminal.h"
#include "isodrop_version.h"
#include "train/distributed/mpi_communicator.h"

#if defined(__FMA__)
#define ISODROP_FMA true
#else
#define ISODROP_FMA false
#endif
#if defined(__AVX2__)
#define ISODROP_AVX2 true
#else
#define ISODROP_AVX2 false
#endif
#if defined(__BMI2__)
#define ISODROP_BMI2 true
#else
#define ISODROP_BMI2 false
#endif
#if defined(__AVX512F__)
#define ISODROP_AVX512 true
#else
#define ISODROP_AVX512 false
#endif
constinit const cli::NeededInstructions cli::needed = {ISODROP_FMA, ISODROP_AVX2, ISODROP_BMI2,
                                                       ISODROP_AVX512};

namespace {

constexpr int kBadInput = 2;

/// The commands to begin with, then the others.
void print_usage() {
  fmt::print(
      "isodrop {}: train small GPTs on a CPU and find out whether dropout pays.\n\n"
      "Usage: isodrop COMMAND [FLAGS]\n",
      ISODROP_VERSION);
  for (const bool first : {true, false}) {
    fmt::print("\n{}:\n", first ? "Start here" : "Other commands");
    for (const cli::CommandEntry& command : cli::commands())
      if (command.first == first) fmt::print("  {:<10}  {}\n", command.name, command.summary);
  }
  fmt::print(
      "\n{}\n",
      base::wrapped("'isodrop COMMAND --help' shows the flags of a command. 'isodrop compare' "
                    "alone compares training with and without dropout on a built-in text in "
                    "a few minutes. 'isodrop man' lists the exit codes.",
                    cli::columns(stdout)));
}

/// Never throws: standard error may be closed.
void complain(const char* kind, const std::string& what) {
  std::fputs(("isodrop: " + std::string(kind) + base::printable(what, "\n") + "\n").c_str(),
             stderr);
}

/// Results are JSON, which holds no other text: said before anything is made, not after.
void require_utf8(std::string_view what, std::string_view text) {
  base::require(base::is_utf8(text), what, " ", base::quote(text),
                ": is not UTF-8; rename the file or folder, or write the name in UTF-8");
}

int dispatch(int argc, const char* const* argv) {
  const std::string_view name = argc > 1 ? argv[1] : "--help";
  if (name == "help" && argc > 2) {
    const char* const words[] = {argv[0], argv[2], "--help"};
    return dispatch(3, words);
  }
  if (name == "--help" || name == "-h" || name == "--help-all" || name == "help") {
    print_usage();
    return 0;
  }
  if (name == "--version" || name == "-V") {
    const std::string mpi = train::mpi_version();
    fmt::print("isodrop {}\nMPI: {}\n", ISODROP_VERSION, mpi.empty() ? "not built in" : mpi);
    return 0;
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--prompt") ++i;  // of a byte tokenizer it may be any bytes
    if (!word.starts_with("--prompt")) require_utf8("argument", word);
  }
  for (const char* variable : {"ISODROP_STORE", "ISODROP_TUNING"})
    if (const char* value = std::getenv(variable)) require_utf8(variable, value);
  std::error_code gone;
  require_utf8("the current folder", std::filesystem::current_path(gone).string());
  std::vector<std::string_view> names;
  for (const cli::CommandEntry& command : cli::commands()) {
    if (command.name == name) return cli::run(command, argc - 1, argv + 1);
    names.push_back(command.name);
  }
  throw base::Error(
      base::concat("unknown command ", base::quote(name), ": ", base::suggest(name, names)));
}

}  // namespace

int main(int argc, char** argv) {
  cli::prepare_standard_files();
  cli::wait_politely(argv);
  try {
    const int code = dispatch(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw base::Error("standard output: cannot be written to (disk full?)");
    return code;
  } catch (const base::Error& e) {
    complain("error: ", e.what());
    return kBadInput;
  } catch (const std::bad_alloc&) {
    complain("error: ", "out of memory; make the batch or the model smaller");
    return kBadInput;
  } catch (const std::system_error& e) {  // the filesystem, or standard output
    complain("error: ",
             base::concat(e.what(), "; check the path, its permissions and the free space"));
    return kBadInput;
  } catch (const std::exception& e) {
    complain("internal error: ", e.what());
    return 1;
  }
}
