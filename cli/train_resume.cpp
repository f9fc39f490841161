// `isodrop train --resume`: the folder's run, on from its newest checkpoint.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/train_run.h"
#include "lab/runs/build.h"
#include "lab/runs/record.h"
#include "lab/runs/spec.h"
#include "train/run_plan.h"
#include "train/storage/checkpoint.h"
#include "train/storage/held_out_text.h"
#include "train/tasks/task.h"

namespace cli {
namespace {

using base::quote;
using base::require;

/// Throws base::Error naming the first setting that is not the run's. The budget is looked at
/// elsewhere; what decides no result (threads, where the data lie) may differ.
void require_same_settings(const Parsed& args, const train::BegunRun& run) {
  for (const train::Row& row : train::settings_table()) {
    if (row.name == "budget" || !lab::decides_results(row)) continue;
    const std::string here = train::value_text(args.settings, row),
                      there = train::value_text(run.settings, row);
    if (here == there) continue;
    std::string flag = "--" + std::string(row.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    const bool preset = !args.given.contains(std::string(row.name));
    throw base::Error(fmt::format(
        "{}{} {}: the run in {} has {}, and continues with it; leave the flag out, or train "
        "again with another --out",
        preset ? "--preset " + args.settings.preset + ", which is " : "", flag, here,
        quote(run.folder.string()), there));
  }
}

/// Throws base::Error unless the budget is one that the old one can grow into.
void require_larger_budget(const train::Settings& now, const train::BegunRun& run,
                           const train::Task& task) {
  const train::Budget old = train::run_budget(run.settings), larger = train::run_budget(now);
  const std::string what = fmt::format("--budget {}: the run in {} has {}", now.budget,
                                       quote(run.folder.string()), run.settings.budget);
  require(old.fixed_steps() == larger.fixed_steps(), what,
          ", and a budget of time does not grow out of one that is counted; give it in a unit of "
          "that kind");
  const bool more = old.fixed_steps()
                        ? train::planned_steps(now, task) > train::planned_steps(run.settings, task)
                        : larger.amount > old.amount;
  require(more, what, ", which is no less; a budget can only be extended");
}

/// Says so where the run was begun by a program that may round differently.
void note_other_build(const std::filesystem::path& folder) {
  const lab::Json there = base::read_json(folder / "environment.json"),
                  here = lab::to_json(lab::this_build());
  for (const char* key : {"source", "compiler", "isa", "onednn"})
    if (there.is_object() && there.contains(key) && there[key] != here[key]) {
      fmt::print(stderr,
                 "isodrop: note: {} was begun by another build ({} {} there, {} here), which may "
                 "round differently\n",
                 quote(folder.string()), key, base::json_compact(there[key]),
                 base::json_compact(here[key]));
      return;
    }
}

/// Of a run that has nothing left to do. Exit code.
int say_ended(const Parsed& args, const train::BegunRun& run, const lab::Json& summary) {
  const std::string name = quote(run.folder.string());
  const std::string status = summary.is_object() ? summary.value("status", "") : "";
  require(!status.empty(), (run.folder / "summary.json").string(),
          ": has no text 'status'; remove it to finish the run again");
  if (args.text("format") == "json") fmt::print("{}", base::json_text(summary));
  if (status == lab::to_string(lab::Status::kDiverged)) {
    fmt::print(stderr,
               "isodrop: the run in {} diverged, and would again; train again with a lower --lr\n",
               name);
    return kDiverged;
  }
  fmt::print(stderr,
             "isodrop: the run in {} is finished ({}); a larger --budget would train on with a new "
             "schedule\n",
             name, run.settings.budget);
  return 0;
}

}  // namespace

int resume_run(const Parsed& given, TrainCommand& command) {
  const std::filesystem::path folder = given.text("resume");
  auto lock = train::lock_run(folder);
  train::BegunRun run = train::read_begun(folder);
  Parsed args = given;
  recall_flags(args, folder);
  check_train_flags(args);
  require_same_settings(args, run);
  const lab::Json summary = train::read_summary(folder);
  const bool extends = args.settings.budget != run.settings.budget;
  const bool diverged = summary.is_object() && summary.value("status", "") == "diverged";
  if (!summary.is_null() && (!extends || diverged)) return say_ended(args, run, summary);

  train::refuse_pipes(args.settings, quote(folder.string()));
  const std::unique_ptr<train::Task> task =
      train::load_task(train::with_own_tokenizer(run, args.settings));
  train::require_same_data(run, *task);
  train::Settings settings = run.settings;
  settings.budget = args.settings.budget;
  if (extends) require_larger_budget(settings, run, *task);
  train::check_run(args.settings, *task);
  note_other_build(folder);
  train::Trainer trainer(args.settings, *task);
  const train::Checkpoints checkpoints(folder, settings, task->data_hash());
  const train::Checkpoints::Loaded from = checkpoints.load(trainer.state());
  for (const auto& [path, why] : from.damaged) {
    fmt::print(stderr, "isodrop: {}; {}, the run continues from the one before\n",
               base::printable(why), base::printable(train::set_aside(path)));
  }
  if (!from.extended.empty())
    fmt::print(stderr,
               "isodrop: {} becomes {} from step {} on as a new schedule: learning rate and "
               "regularizers go by shares of the new budget\n",
               from.extended, settings.budget, trainer.state().step);
  fmt::print(stderr, "isodrop: continues from {}\n", from.path.string());
  if (extends) {
    checkpoints.keep_only(from.path);  // an older one would leave the old schedule elsewhere
    train::change_settings(folder, settings);
  }
  train::RunFiles files(std::move(lock), folder, *task, trainer.state().step);
  return train_to_end(args, command, {folder, settings, *task, trainer, files});
}

}  // namespace cli
