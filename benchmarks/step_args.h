// Flags the step benchmarks share.
#pragma once
#include <chrono>
#include <vector>

#include "cli/options.h"
#include "train/trainer.h"

namespace bench {

/// Reads the settings' flags and the command's own, sets the number of threads, and gives the
/// settings a budget that no benchmark uses up. With --help or --describe it prints what was asked
/// for and `help` is set. Throws base::Error.
cli::Parsed parse_step_args(const cli::Command& command, int argc, char** argv);

/// The flag that prints a command's summary for the list of benchmarks.
inline constexpr cli::Extra kDescribe{"describe", "", "", "say in a line what this benchmark does"};
inline const cli::Extra kFormat{"format",        "FORMAT", "text",
                                "of the result", false,    {"text", "json"}};

/// Milliseconds of one whole training step.
double step_ms(train::Trainer& trainer, std::uint64_t index);

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace bench
