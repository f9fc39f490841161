#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "lab/report/pages.h"

namespace cli {
namespace {

int report(const Parsed& args) {
  base::require(
      !args.arguments.empty(),
      "report which runs? Give folders that 'isodrop train --out DIR' wrote, or ids of runs "
      "in the store ('isodrop runs' lists them)");
  const lab::Store store(store_path(args));
  std::vector<lab::CurveOfRun> runs;
  std::string broken;
  for (const std::string& given : args.arguments) {
    runs.push_back(lab::curve_of_run(given, store));
    if (!runs.back().broken.empty()) {
      broken = runs.back().broken;
      fmt::print(stderr, "isodrop: note: a curve is left out: {}\n", base::printable(broken));
      runs.pop_back();
      continue;
    }
    for (std::size_t i = 0; i + 1 < runs.size(); ++i)
      base::require(runs[i].name != runs.back().name, base::quote(given),
                    ": is given twice; give it once");
  }
  base::require(!runs.empty(), broken);
  const auto page = open_output(args, "out", kPageMark);
  finish(*page, lab::to_html(lab::curves_page(runs)));
  fmt::print("{}\n", args.text("out"));
  return 0;
}

}  // namespace

// `isodrop report`: curves of any runs, to look at.
Command report_command() {
  Command c;
  c.summary =
      "Plot the learning curves of any runs on one page that needs no network. RUN is a folder of "
      "'isodrop train' or the id of a stored run.";
  c.settings = false;
  c.argument = "RUN...";
  c.extras = {
      {.flag = "out", .hint = "FILE.html", .fallback = "report.html", .help = "the page to write"},
      store_flag()};
  c.examples = {"isodrop report out/train out/train/previous --out curves.html",
                "isodrop report 0a1b 2c3d"};
  c.run = report;
  return c;
}

}  // namespace cli
