#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/inspect/probe_html.h"
#include "lab/inspect/probe_render.h"
#include "train/storage/held_out_text.h"
#include "train/storage/initial_weights.h"
#include "train/storage/run_files.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/load_corpus.h"

namespace cli {
namespace {

/// The run's settings with the given flags on top.
train::Settings with_flags(train::Settings settings, const Parsed& args) {
  for (const std::string& name : args.given) {
    const train::Row& row = *train::find_setting(name);
    base::require(row.group != train::Group::kModel, "setting ", name,
                  " is fixed by the weights in ", base::quote(args.argument),
                  "; leave it out, or leave the folder out for initial weights");
    train::set(settings, name, train::value_text(args.settings, row), name);
  }
  train::validate(settings);
  return settings;
}

std::string regularizers_text(const train::Settings& s) {
  std::string out;
  if (s.dropout > 0) out = fmt::format("dropout={}", s.dropout);
  if (s.reg != "none") out += fmt::format("{}reg={}", out.empty() ? "" : ", ", s.reg);
  if (s.norm == "batchnorm") out += fmt::format("{}norm={}", out.empty() ? "" : ", ", s.norm);
  return out;
}

/// Rates that a schedule has at 0 for the moment are no mistake, but seldom meant.
void note_silence(const train::Settings& settings, const lab::Probe& probe) {
  if ((settings.dropout == 0 && settings.reg == "none") ||
      std::any_of(probe.points.begin(), probe.points.end(),
                  [](const lab::ProbePoint& p) { return !p.acting.empty(); }))
    return;
  fmt::print(stderr,
             "isodrop: note: no regularizer acts at {:g} of the budget; --progress chooses another "
             "moment\n",
             probe.progress);
}

int probe(const Parsed& args) {
  std::optional<train::SavedRun> run;
  if (!args.argument.empty()) run = train::read_run(args.argument);
  const train::Settings settings = run ? with_flags(run->settings, args) : args.settings;
  base::require(settings.task == train::Settings{}.task, "task=", settings.task,
                ": a probe reads tokens; give a run of task=lm");
  base::use_threads(settings.threads);
  lab::ProbeOptions options;
  options.masks = args.integer("masks", 2, 100'000);
  options.tokens = args.integer("tokens", 1, 1'000'000'000);
  options.progress = args.has("progress") ? args.real("progress", 0, 1) : run ? 1 : 0;
  base::require(lab::probe_has_subject(settings),
                "no regularizer acts on activations or weights, so training and evaluation "
                "compute the same; give one, for example "
                "--dropout 0.1");
  for (const std::string& note : train::notes(settings))
    fmt::print(stderr, "isodrop: note: {}\n", note);
  if (run) train::refuse_pipes(settings, base::quote(args.argument));
  const train::LanguageModelling task(
      train::load_corpus(run ? train::with_own_tokenizer(*run, settings) : settings));
  const data::Corpus& corpus = task.corpus();
  // The same file must still be the same text; another one must at least be encoded alike.
  if (run)
    args.given.contains("text") ? require_same_encoding(*run, task) : require_same_data(*run, task);
  const auto page = open_output(args, "html", kPageMark);
  ProgressLine line;
  std::function<void(engine::Params&)> load;
  if (run) load = [&](engine::Params& to) { train::load_parameters(to, run->weights); };
  if (!run && !settings.init_from.empty()) {
    train::check(train::read_initial_weights(settings.init_from), settings, task);
    load = [&](engine::Params& to) { train::load_initial_weights(to, settings); };
  }
  const lab::Probe probe =
      lab::measure_probe(settings, corpus, load, options, [&](std::int64_t done, std::int64_t of) {
        if (line.due()) line.update(fmt::format("pass {}/{}", done, of));
      });
  line.finish();
  note_silence(settings, probe);
  const lab::ProbeHead head{
      run ? args.argument : fmt::format("{}, initial weights", settings.preset),
      regularizers_text(settings), settings.text.empty() ? "the built-in corpus" : corpus.name,
      settings.seed};
  if (page) finish(*page, lab::render_html(head, probe));
  fmt::print("{}", lab::render(head, probe, args.text("format"), color(stdout)));
  return 0;
}

}  // namespace

Command probe_command() {
  Command c;
  c.summary =
      "Run a model in training and in evaluation mode on the same batches and show, hook by hook, "
      "what its regularizers do to the activations: moments, variance ratio, distance. RUN is a "
      "folder of 'isodrop train': its weights and settings, with flags on top. Without RUN, a "
      "model "
      "with initial weights.";
  c.argument = "[RUN]";
  c.extras = {
      {.flag = "masks",
       .hint = "N",
       .fallback = "32",
       .help = "run the same batches with N different masks",
       .common = true},
      {.flag = "tokens",
       .hint = "N",
       .fallback = "4096",
       .help = "training tokens to run, rounded up to whole batches",
       .common = true},
      {.flag = "progress",
       .hint = "SHARE",
       .help = "share of the budget spent, which scheduled rates depend on (default: 1 with RUN's "
               "weights, 0 with initial ones)"},
      format_flag({"text", "json", "csv", "md"}),
      {.flag = "html", .hint = "FILE", .help = "also write a page with charts", .common = true},
  };
  c.without = {"budget", "eval_interval", "eval_tokens",     "lr",
               "min_lr", "warmup",        "weight_decay",    "beta1",
               "beta2",  "grad_clip",     "recalibrate_norm"};
  c.examples = {"isodrop probe out/train --format md",
                "isodrop probe out/train --dropout 0 --reg alpha_dropout:0.1@mlp_hidden",
                "isodrop probe --preset nano --reg dropout:0.2~early:0.5 --progress 0.25",
                "isodrop probe --preset tiny --dropout 0.1 --format json"};
  c.run = probe;
  return c;
}

}  // namespace cli
