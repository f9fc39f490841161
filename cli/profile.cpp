#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/inspect/profile_html.h"
#include "lab/inspect/profile_render.h"
#include "lab/runs/build.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/load_corpus.h"
#include "train/trainer.h"

namespace cli {
namespace {

lab::By parse_by(const std::string& text) {
  return text == "layer" ? lab::By::kLayer : text == "node" ? lab::By::kNode : lab::By::kOp;
}

int profile(const Parsed& args) {
  train::Settings settings = args.settings;
  settings.budget = "1000000steps";  // what a step costs does not depend on it
  std::vector<lab::Arm> arms = lab::parse_arms(args.all("arm"), settings);
  if (arms.size() > 2)
    throw base::Error("--arm " + args.all("arm").back() +
                      ": a profile holds two arms side by side at most; leave out one");
  for (const lab::Arm& arm : arms)
    if (!arm.grid.empty())
      throw base::Error("--arm " + base::quote(arm.name) +
                        ": a profile tunes nothing; give one value of " + arm.grid[0].setting);
  if (arms.empty()) arms.push_back({settings.preset, {}, settings, {}});
  lab::ProfileOptions options;
  options.steps = args.integer("steps", 1, 5000);
  options.progress = args.real("progress", 0, 1);
  options.seconds = args.real("seconds", 0, 1e5);
  const auto cap = static_cast<std::size_t>(args.integer("trace-events", 100, 1'000'000));
  if (args.has("trace")) options.trace_events = cap - lab::kTraceNames * arms.size();

  const auto trace = open_output(args, "trace", kTraceMark),
             page = open_output(args, "html", kPageMark);
  // What tokens say changes nothing of a step, and these are made at once.
  const std::unique_ptr<train::Task> task =
      settings.task == train::Settings{}.task && settings.text.empty()
          ? std::make_unique<train::LanguageModelling>(train::random_corpus(settings))
          : train::load_task(settings);
  for (const lab::Arm& arm : arms) train::check_run(arm.settings, *task);
  const lab::Profile profile = lab::measure_profile(arms, *task, options);
  std::vector<lab::ProfileTable> tables;
  for (const lab::ArmProfile& arm : profile.arms)
    tables.push_back(lab::profile_table(arm, profile.roof, parse_by(args.text("by"))));
  const lab::ProfileHead head{
      fmt::format("{}, B {}, T {}", settings.preset, settings.batch, settings.block_size),
      std::ssize(profile.arms[0].samples), lab::environment(settings.threads)};
  if (trace) finish(*trace, lab::trace_json(profile));
  if (page) finish(*page, lab::render_html(head, profile, tables));
  if (args.text("format") == "json") {
    fmt::print("{}", base::json_text(lab::to_json(head, profile, tables)));
    return 0;
  }
  fmt::print("{}", lab::render_text(head, profile, tables));
  if (trace)
    fmt::print("trace of the first steps, at most {} events: {}\n", cap, args.text("trace"));
  return 0;
}

}  // namespace

Command profile_command() {
  Command c;
  c.summary =
      "Show where the time of a training step goes, and how close each op comes to what this "
      "machine can do.";
  c.extras = {
      {.flag = "arm",
       .hint = "[NAME:] SETTING=VALUE[,...]",
       .help = "profile this variant, as in compare; two stand side by side, with the overhead of "
               "the second (default: the settings as given)",
       .repeatable = true,
       .common = true},
      {.flag = "by",
       .hint = "ROWS",
       .fallback = "op",
       .help = "what a row of the table is",
       .choices = {"op", "layer", "node"},
       .common = true},
      {.flag = "steps", .hint = "N", .fallback = "101", .help = "time at most N steps"},
      {.flag = "progress",
       .hint = "SHARE",
       .fallback = "0.5",
       .help = "share of the budget spent, which scheduled rates depend on"},
      {.flag = "seconds",
       .hint = "S",
       .fallback = "10",
       .help = "stop timing after S seconds, but not before 3 steps",
       .common = true},
      {.flag = "trace",
       .hint = "FILE",
       .help = "also write the first steps as Chrome trace events, for ui.perfetto.dev",
       .common = true},
      {.flag = "trace-events",
       .hint = "N",
       .fallback = "20000",
       .help = "write at most N trace events; a step has a few hundred",
       .only_with = "trace"},
      product_tuning_flag(),
      format_flag({"text", "json"}),
      {.flag = "html",
       .hint = "FILE",
       .help = "also write a page with a roofline and bars",
       .common = true},
  };
  c.without = {"budget", "eval_interval", "eval_tokens", "val", "val_fraction"};
  c.examples = {"isodrop profile --preset nano",
                "isodrop profile --preset char --batch 8 --arm none --arm dropout=0.1",
                "isodrop profile --preset gpt2 --batch 1 --by layer",
                "isodrop profile --preset nano --trace trace.json --format json"};
  c.run = profile;
  return c;
}

}  // namespace cli
