#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/measure.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/terminal.h"
#include "lab/runs/executor.h"
#include "lab/runs/make.h"
#include "train/trainer.h"

namespace cli {
namespace {

constexpr double kTellEvery = 0.02;  // seconds; more often would disturb what is timed

void say(const lab::Json& json) {
  fmt::print("{}\n", base::json_compact(json));
  if (std::fflush(stdout) != 0)
    throw base::Error("standard output: cannot be written to (disk full?)");
}

/// Steps until standard output is closed; says how many were done when.
[[noreturn]] void trial(const lab::RunSpec& spec) {
  const std::unique_ptr<train::Task> task = lab::load_checked(spec);
  train::StepTimer timer(spec.settings, *task);
  double told = 0;
  for (;;) {
    timer.step();
    const double now = base::monotonic_seconds();
    if (now - told < kTellEvery) continue;
    told = now;
    say({{"event", lab::event::kTrial}, {"at", now}, {"steps", timer.steps()}});
  }
}

int run(const Parsed& args) {
  base::require(args.argument.empty() == args.has("list"),
                args.has("list")
                    ? "--list with a spec: the list names all runs to make; leave one of them out"
                    : "run which spec? Give one, or --list FILE; 'isodrop compare … --plan DIR' "
                      "writes them");
  if (args.has("list")) return run_list(args);
  lab::RunSpec spec =
      lab::spec_from_json(base::read_json(args.argument, base::Whose::kPerson), args.argument);
  if (args.has("threads")) spec.settings.threads = args.integer("threads", 0, 4096);
  base::use_threads(spec.settings.threads);
  const bool json = args.text("format") == "json", timed = args.has("trial");
  if (json || timed) end_without_reader();  // the command that started it is gone
  if (timed) trial(spec);
  lab::MakeOptions options;
  options.wait = !args.has("no-wait");
  options.other_build = args.has("other-builds");
  options.keep_weights = args.has("keep-weights");
  const std::string id = lab::run_id(spec);
  ProgressLine line;
  lab::MakeEvents events;
  events.waiting = [&] {
    if (json)
      say({{"event", lab::event::kWaiting}});
    else
      line.note("another process is making this run; waiting for it");
  };
  events.progress = [&](const train::Progress& p) {
    if (json)
      say(lab::to_json(p));
    else if (line.due())
      line.update(progress_text(p));
  };
  const lab::Made made = lab::make_run(spec, lab::Store(store_path(args)), options, events);
  line.finish();
  if (made.how == lab::Made::How::kBusy) {
    fmt::print(stderr, "isodrop: run {}: another process is making it\n", id);
    return lab::kRunBusy;
  }
  if (json)
    say({{"event", "record"}, {"record", lab::to_json(made.record)}});
  else
    fmt::print("run {} {}: {}, validation loss {}\n", id,
               made.how == lab::Made::How::kMade ? "made" : "exists",
               lab::to_string(made.record.status),
               lab::text(lab::metric("val_loss"), made.record.value("val_loss")));
  return made.record.status == lab::Status::kDiverged ? lab::kRunDiverged : 0;
}

}  // namespace

// `isodrop run`: the only way a run is made; studies start it, and so may any scheduler.
Command run_command() {
  Command c;
  c.summary =
      "Make one run from its spec, completely or not at all; a run that exists is not made again. "
      "With --list, make every spec that a file names, one path a line: runs that others are "
      "making "
      "are left to them and waited for at the end. Started by mpirun or srun, each rank begins "
      "with "
      "its own part and then helps with the rest. Exit code 0: the run exists (with --list: all "
      "do, diverged ones included); 1: a run of the list could not be made; 2: bad spec; 3: it "
      "diverged, which is recorded; 75: another process is making it (--no-wait).";
  c.settings = false;
  c.argument = "SPEC.json";
  c.extras = {
      store_flag(),
      {.flag = "list", .hint = "FILE", .help = "make all specs that this file names"},
      {.flag = "part",
       .hint = "I/N",
       .help = "make only every N-th spec of the list, starting at place I from 0 (default: all, "
               "beginning with this rank's part)",
       .only_with = "list"},
      {.flag = "jobs",
       .hint = "N",
       .fallback = "1",
       .help = "make N runs of the list at once, each on its share of the threads",
       .only_with = "list"},
      {.flag = "no-wait", .help = "do not wait for another process that is making the run"},
      {.flag = "threads",
       .hint = "N",
       .help = "threads; 0 is one per core (default: as the spec says)"},
      {.flag = "keep-weights", .help = "keep the final weights next to the record"},
      {.flag = "other-builds", .help = "accept a record of another build of isodrop"},
      {.flag = "trial",
       .help = "make nothing: train while somebody reads the output, and report "
               "the speed"},
      product_tuning_flag(),
      format_flag({"text", "json"}),
  };
  for (Extra& extra : c.extras)
    if (extra.flag != "trial" && extra.flag != "threads") extra.not_with = "trial";
  c.examples = {"isodrop compare --seeds 8 --plan specs",
                "isodrop run specs/0123456789abcdef0123456789abcdef.json",
                "mpirun -n 4 isodrop run --list specs/list.txt --threads 2"};
  c.each_process = true;
  c.run = run;
  return c;
}

}  // namespace cli
