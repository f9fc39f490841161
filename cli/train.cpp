#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/show.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/runs/make.h"
#include "lab/runs/measures.h"
#include "lab/runs/record.h"
#include "lab/runs/spec.h"
#include "lab/study/arm.h"
#include "lab/study/folder.h"
#include "train/run.h"
#include "train/run_files.h"
#include "train/safetensors.h"
#include "train/task.h"

namespace cli {
namespace {

constexpr int kDiverged = 3;

void print_text(const lab::RunRecord& record, const train::Task& task, const std::string& weights) {
  const auto number = [&](const char* name) {
    return lab::text(lab::metric(name), record.value(name));
  };
  const auto value = [&](const char* name) { return record.value(name).value_or(0); };
  const auto bits = [&](const char* name) {
    return record.value(name) ? fmt::format(" ({} bits/byte)", number(name)) : "";
  };
  fmt::print("validation loss  {} nats/{}{}, best along the way {}\n", number("val_loss"),
             task.name() == train::Settings{}.task ? "token" : "target", bits("val_bpb"),
             number("best_val_loss"));
  const auto bayes = task.constant("bayes_loss"), window = task.constant("bayes_loss_window");
  if (bayes)
    fmt::print("Bayes-optimal    {:.4f}{}\n", *bayes,
               window ? fmt::format(", from a window of T {:.4f}", *window) : "");
  if (record.value("test_loss"))
    fmt::print("test loss        {}{}\n", number("test_loss"), bits("test_bpb"));
  fmt::print("train loss       {} (regularizers off, fixed subset)\n", number("train_loss"));
  fmt::print("spent            {} steps, {} tokens, {}FLOP in {} ({} GFLOP/s), evaluation {}\n",
             number("steps"), with_prefix(value("tokens")), with_prefix(value("flops")),
             duration(value("seconds")), number("gflops"), duration(value("eval_seconds")));
  fmt::print("weights          {}\n", weights);
}

/// The same study as `isodrop compare --arm none --arm "as given"`, at the run's budget.
int with_and_without(const Parsed& args) {
  lab::Study study;
  study.base = args.settings;
  const lab::Arm without = lab::parse_arm("none", study.base);
  engine::require(!(without.settings == study.base),
                  "--compare: no regularizer is set, so there is nothing to compare; give one, for "
                  "example --dropout 0.1");
  study.arms = {{without.name, without.overrides}, {"as given", {}}};
  study.cells = {{}};
  study.shares = lab::share_levels({});
  study.seeds = args.integer("seeds", 1, 10'000);
  StudyOptions options = study_options(args);
  if (!args.has("out")) options.out.clear();
  return run_study(std::move(study), options);
}

int train_one(const Parsed& args) {
  const train::Settings& settings = args.settings;
  engine::require(settings.members == 1, "--members ", settings.members,
                  ": a folder holds one model; 'isodrop compare --arm none --arm members=",
                  settings.members, "' judges an ensemble");
  for (const std::string& note : train::notes(settings))
    fmt::print(stderr, "isodrop: note: {}\n", note);
  const std::unique_ptr<train::Task> task = train::load_task(settings);
  if (args.has("dry-run")) return show_dry_run(lab::dry_run(settings, *task), args.text("format"));
  const std::filesystem::path folder = args.text("out");
  lab::refuse_study(folder);
  train::check_run(settings, *task);
  const lab::Machine machine = lab::this_machine(settings.threads);
  train::Trainer trainer(settings, *task);
  train::RunFiles files(folder, settings, *task, lab::environment(settings.threads));
  ProgressLine line;
  train::CallSink told([&](const train::Progress& p) {
    if (p.val_loss)
      line.note(progress_text(p));
    else if (line.due())
      line.update(progress_text(p));
  });
  train::RunResult result = train::run(trainer, {&files.metrics(), &told});
  if (!result.diverged) result.measured = lab::measure(trainer, *task);
  line.finish();
  lab::RunRecord record = lab::make_record(result, *task, machine);
  record.id = lab::run_id(lab::run_spec(settings, task->data_hash()));
  record.seed = settings.seed;
  lab::Json json = lab::to_json(record);
  for (const char* known : {"bayes_loss", "bayes_loss_window"})
    json[known] = train::or_null(task->constant(known));
  files.write_summary(json);
  if (result.diverged) {
    fmt::print(stderr,
               "isodrop: diverged: the loss is not finite at step {} (learning rate {:.3g}); lower "
               "--lr or lengthen --warmup\n",
               result.diverged_at, result.diverged_lr);
    if (args.text("format") == "json") fmt::print("{}\n", json.dump(2));
    return kDiverged;
  }
  const auto weights = files.write_weights(trainer.params());
  if (args.text("format") == "json")
    fmt::print("{}\n", json.dump(2));
  else
    print_text(record, *task, weights.string());
  return 0;
}

int train(const Parsed& args) {
  return args.has("compare") ? with_and_without(args) : train_one(args);
}

}  // namespace

// `isodrop train`: one model, or with --compare the trainer's switch between with and without.
Command train_command() {
  Command c;
  c.summary = "Train one model, write its weights, print a summary.";
  c.extras = {
      {"out", "DIR", "out/train", "folder for config, metrics, summary and weights"},
      product_tuning_flag(),
      {"format", "FORMAT", "text", "of the summary", false, {"text", "json"}, {}, "plan"},
      {"compare", "", "",
       "train with and without the regularizers at the same budget and print the paired answer"},
      {"seeds", "N", "8", "of --compare: paired seeds", false, {}, "compare"},
  };
  for (const Extra& flag : study_flags("compare")) c.extras.push_back(flag);
  c.examples = {"isodrop train --text book.txt --preset nano --budget 2000steps",
                "isodrop train --text book.txt --dropout 0.1 --compare"};
  c.run = train;
  return c;
}

}  // namespace cli
