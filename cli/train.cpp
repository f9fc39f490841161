#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/study_command.h"
#include "cli/train_run.h"
#include "lab/runs/build.h"
#include "lab/study/arm.h"
#include "lab/study/dry_run.h"
#include "lab/study/folder.h"
#include "train/storage/run_files.h"
#include "train/tasks/task.h"

namespace cli {
namespace {

/// The same study as `isodrop compare --arm none --arm "as given"`, at the run's budget.
int with_and_without(const Parsed& args) {
  lab::Study study;
  study.base = args.settings;
  const lab::Arm without = lab::parse_arm("none", study.base);
  base::require(!(without.settings == study.base),
                "--compare: no regularizer is set, so there is nothing to compare; give one, for "
                "example --dropout 0.1");
  study.arms = {{without.name, without.overrides}, {"as given", {}}};
  study.cells = {{}};
  study.shares = lab::share_levels({});
  study.seeds = args.integer("seeds", 1, 10'000);
  StudyOptions options = study_options(args);
  if (!args.has("out")) options.session.out.clear();
  return run_study(std::move(study), options);
}

int train_new(const Parsed& args, TrainCommand& command) {
  // The folder is read from other places than this one.
  const train::Settings settings = train::with_absolute_paths(args.settings);
  base::require(settings.members == 1, "--members ", settings.members,
                ": a folder holds one model; 'isodrop compare --arm none --arm members=",
                settings.members, "' judges an ensemble");
  for (const std::string& note : train::notes(settings))
    fmt::print(stderr, "isodrop: note: {}\n", note);
  const std::filesystem::path folder = args.text("out");
  const bool dry = args.has("dry-run");
  if (!dry) train::refuse_others(folder, settings);
  if (!dry && !args.has("restart")) train::refuse_unfinished(folder);
  const std::unique_ptr<train::Task> task = train::load_task(args.settings);
  for (const std::string& note : task->notes()) fmt::print(stderr, "isodrop: note: {}\n", note);
  if (dry) return show_dry_run(lab::dry_run(settings, *task), args.text("format"));
  lab::refuse_study(folder);
  train::check_run(settings, *task);
  train::Trainer trainer(settings, *task);
  train::RunFiles files(folder, settings, *task, lab::environment(settings.threads),
                        args.has("restart"));
  return train_to_end(args, command, {folder, settings, *task, trainer, files});
}

int train(const Parsed& args) {
  for (const char* flag : {"resume", "restart"})
    base::require(!args.has("compare") || !args.has(flag), "--", flag,
                  " does nothing with --compare, which continues by itself; leave one of them out");
  base::require(!args.has("compare") || train::launched().size == 1,
                "--compare: mpirun's processes share one run, and a comparison has many; leave "
                "out mpirun");
  if (args.has("compare")) return with_and_without(args);
  check_train_flags(args);
  TrainCommand command;
  command.followers.join(args.settings, args.has("shard-moments"), command.signals);
  return args.has("resume") && !args.has("dry-run") ? resume_run(args, command)
                                                    : train_new(args, command);
}

/// Of a run that goes on, what its folder says.
train::Settings base(const Parsed& args) {
  return args.has("resume") ? train::read_config(args.text("resume")) : train::Settings{};
}

}  // namespace

// `isodrop train`: one model, or with --compare the trainer's switch between with and without.
Command train_command() {
  static const std::string interval_help = fmt::format(
      "save a checkpoint at this interval and keep the last two: {}; off saves only when stopped "
      "by a signal or --time-limit",
      kCheckpointForms);
  Command c;
  c.summary =
      "Train one model, write its weights and print a summary. Ctrl-C or SIGTERM saves a "
      "checkpoint and stops; --resume continues. Exit code 0: done; 2: bad input; 3: diverged; 4: "
      "time limit; 5: the result could not be written (a full disk), and --resume continues; 128 + N: "
      "stopped by signal N.";
  c.extras = {
      {.flag = "out",
       .hint = "DIR",
       .fallback = "out/train",
       .help = "folder for config, metrics, summary and weights; an existing run is moved to "
               "previous/",
       .common = true},
      {.flag = "resume",
       .hint = "DIR",
       .help = "continue the run in this folder from its newest checkpoint, to the same bits as "
               "without a stop. Settings are the run's own; a larger --budget continues with a new "
               "schedule. --log, --norms-interval, --sample-tokens, --checkpoint-interval and "
               "--time-limit stay as they were unless given",
       .not_with = "out",
       .common = true},
      {.flag = "checkpoint-interval",
       .hint = "WHEN",
       .fallback = "5min",
       .help = interval_help,
       .not_with = "compare"},
      {.flag = "time-limit",
       .hint = "TIME",
       .help = "stop after this time, such as 10min or 1.5h, with a checkpoint to continue from; "
               "off: no limit, even if the resumed run had one",
       .not_with = "compare",
       .common = true},
      {.flag = "restart",
       .help = "remove an unfinished run in the folder of --out and start again",
       .not_with = "resume"},
      {.flag = "shard-moments",
       .help =
           "divide the optimizer's moments among mpirun's processes (ZeRO 1), to the same bits; "
           "losing a process then costs the steps since the last checkpoint",
       .not_with = "compare"},
      product_tuning_flag(),
      format_flag({"text", "json"}, "format of the summary"),
      {.flag = "compare",
       .help = "train with and without the regularizers at the same budget and print the paired "
               "answer",
       .common = true},
      {.flag = "seeds",
       .hint = "N",
       .fallback = "8",
       .help = "with --compare: number of paired seeds",
       .only_with = "compare"},
      verbose_flag(),
  };
  for (Extra& flag : c.extras) {
    if (flag.flag == "format") flag.not_with = "plan";
    if (flag.flag == "verbose") flag.only_with = "compare", flag.common = false;
  }
  for (const Extra& flag : log_flags()) c.extras.push_back(flag);
  for (const Extra& flag : study_flags("compare")) c.extras.push_back(flag);
  c.examples = {"isodrop train --text book.txt --preset nano --budget 2000steps",
                "isodrop train --text book.txt --dropout 0.1 --compare",
                "isodrop train --resume out/train",
                "mpirun -n 4 isodrop train --text book.txt --batch 64 --shards 4"};
  c.base = base;
  c.run = train;
  c.follow = follow_train;
  return c;
}

}  // namespace cli
