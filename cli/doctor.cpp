#include "lab/inspect/doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parallel.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace cli {
namespace {

int doctor(const Parsed& args) {
  if (args.has("threads")) base::use_threads(args.integer("threads", 1, 4096));
  const std::vector<lab::Check> checks =
      lab::examine(lab::machine_facts(), lab::measure_times(), lab::surroundings(store_path(args)));
  if (args.text("format") == "json") {
    lab::Json json = lab::Json::array();
    for (const lab::Check& c : checks)
      json.push_back({{"name", c.name},
                      {"text", c.text},
                      {"values", c.values},
                      {"advice", c.advice.empty() ? lab::Json(nullptr) : lab::Json(c.advice)}});
    fmt::print("{}", base::json_text(lab::Json{{"schema", "isodrop-doctor-1"}, {"checks", json}}));
    return 0;
  }
  const bool bold = color(stdout);
  for (const lab::Check& c : checks) {
    fmt::print("{:<11} {}\n", c.name, c.text);
    if (!c.advice.empty())
      fmt::print("{:<11} {}\n", "", bold ? "\x1b[1m→ " + c.advice + "\x1b[0m" : "→ " + c.advice);
  }
  const auto wrong = std::count_if(checks.begin(), checks.end(),
                                   [](const lab::Check& c) { return !c.advice.empty(); });
  fmt::print("{}\n", wrong == 0   ? "Nothing is in the way."
                     : wrong == 1 ? "One thing to look at."
                                  : fmt::format("{} things to look at.", wrong));
  return 0;
}

}  // namespace

// `isodrop doctor`: why it is not as fast here as it could be.
Command doctor_command() {
  Command c;
  c.summary =
      "Check this machine: CPU, threads, memory, oneDNN, measured peak, other load, disk and "
      "versions, with advice for what slows training down. The exit code is always 0.";
  c.settings = false;
  c.extras = {store_flag(),
              {.flag = "threads",
               .hint = "N",
               .help = "number of measuring threads (default: as for any command)"},
              format_flag({"text", "json"})};
  c.examples = {"isodrop doctor", "isodrop doctor --format json"};
  c.run = doctor;
  return c;
}

}  // namespace cli
