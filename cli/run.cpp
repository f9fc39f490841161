#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/measure.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_list.h"
#include "cli/show.h"
#include "cli/standard_files.h"
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
                    ? "--list with a spec: it names all that are made; leave one of them out"
                    : "run what? Give a spec, or --list FILE; 'isodrop compare … --plan DIR' "
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
      line.note("another process is making it; waiting");
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
               made.how == lab::Made::How::kMade ? "made" : "was there",
               lab::to_string(made.record.status),
               lab::text(lab::metric("val_loss"), made.record.value("val_loss")));
  return made.record.status == lab::Status::kDiverged ? lab::kRunDiverged : 0;
}

}  // namespace

// `isodrop run`: the only way a run is made; studies start it, and so may any scheduler.
Command run_command() {
  Command c;
  c.summary =
      "Make one run from its spec, whole or not at all; at once where it is there already. Exit "
      "code 0: it is there now; 3: it diverged, which is recorded; 75: another process is making "
      "it (--no-wait); 2: not a spec, or not one for this program. With --list all that a file "
      "names, one path a line: what others are making is left to them and waited for at the end; "
      "started by mpirun or srun, each rank begins with its own part and then helps with the rest. "
      "Exit code then: 0: all are there, diverged ones counted; 1: one could not be made; 75: some "
      "are left to others.";
  c.settings = false;
  c.argument = "SPEC.json";
  c.extras = {
      store_flag(),
      {"list", "FILE", "", "make all specs that this file names"},
      {"part",
       "I/N",
       "",
       "of the list only every N-th spec from place I on, from 0 (default: all, beginning with the "
       "part of this rank)",
       false,
       {},
       "list"},
      {"jobs",
       "N",
       "1",
       "runs of the list made at once, each on its share of the threads",
       false,
       {},
       "list"},
      {"no-wait", "", "", "do not wait for another process that is making it"},
      {"threads", "N", "", "threads; 0 is as many as there are cores (default: as the spec says)"},
      {"keep-weights", "", "", "keep the final weights beside the record"},
      {"other-builds", "", "", "take a record that another build of isodrop has made"},
      {"trial", "", "", "make nothing: train for as long as somebody listens, and say how fast"},
      product_tuning_flag(),
      {"format", "FORMAT", "text", "of what it says", false, {"text", "json"}},
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
