#include "benchmarks/step_args.h"

#include <fmt/format.h>

#include "base/parallel.h"
#include "cli/terminal.h"

namespace bench {

cli::Parsed parse_step_args(const cli::Command& command, int argc, char** argv) {
  cli::Command called = command;
  called.call = fmt::format("scripts/bench {}", command.name);
  cli::Parsed parsed = cli::parse(called, argc, argv);
  if (parsed.help) {
    fmt::print("{}", cli::help(called, cli::columns(stdout)));
    return parsed;
  }
  if (parsed.has("describe")) {
    fmt::print("{}\n", command.summary);
    parsed.help = true;
  }
  parsed.settings.budget = "1000000steps";
  base::use_threads(parsed.settings.threads);
  return parsed;
}

double step_ms(train::Trainer& trainer, std::uint64_t index) {
  const auto start = std::chrono::steady_clock::now();
  trainer.step(index, 0.5);
  return 1e3 * seconds_since(start);
}

}  // namespace bench
