#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "engine/buffer.h"
#include "lab/inspect/evaluate.h"
#include "lab/runs/build.h"
#include "lab/runs/measures.h"
#include "lab/runs/metrics.h"
#include "train/config/evaluation.h"
#include "train/evaluator.h"
#include "train/storage/held_out_text.h"
#include "train/storage/run_files.h"
#include "train/tasks/language_modelling.h"
#include "train/trainer.h"

namespace cli {
namespace {

/// Flags that say where the run's own data lie now: names of settings.
constexpr const char* kData[] = {"text", "val", "test", "csv"};
/// Those beside which --text is one of them; alone it is another text.
constexpr const char* kOwn[] = {"split", "val", "test", "csv"};

/// The run's settings, its data where they are now. Throws base::Error where they are not there.
train::Settings own_data(const train::SavedRun& run, const Parsed& args) {
  train::Settings settings = train::with_own_tokenizer(run, run.settings);
  if (args.has("bin-type")) settings.bin_type = args.text("bin-type");
  for (const char* name : kData) {
    std::string& path =
        settings.*std::get<std::string train::Settings::*>(train::find_setting(name)->member);
    base::require(!path.empty() || !args.has(name), "--", name, " ", args.text(name), ": ",
                  base::quote(args.argument),
                  " was trained without such a file; leave the flag out");
    if (args.has(name)) path = args.text(name);
    std::error_code unknown;  // what cannot be looked at is refused when it is read
    if (!args.has(name)) train::refuse_pipes(run.settings, base::quote(args.argument));
    base::require(path.empty() || path.find_first_of("*?[") != path.npos ||
                      std::filesystem::exists(path, unknown) || unknown,
                  base::quote(args.argument), ": the ", name, " it was trained with, ",
                  base::quote(path), ", is not there; say where it is now, as in --split ",
                  args.text("split"), " --", name, " FILE");
  }
  return settings;
}

lab::Question question(const train::SavedRun& run, const train::Settings& settings,
                       const Parsed& args) {
  lab::Question q;
  const bool own = !args.has("text") || std::any_of(std::begin(kOwn), std::end(kOwn),
                                                    [&](const char* f) { return args.has(f); });
  if (!own) {
    const std::string& text = args.text("text");
    q.task = std::make_unique<train::LanguageModelling>(
        train::held_out_text(run, text, args.text("bin-type")));
    q.exam = q.task->exam(settings, train::Split::kTest);
    q.what = text;
  } else {
    const std::string& split = args.text("split");
    q.task = train::load_task(own_data(run, args));
    train::require_same_data(run, *q.task);
    q.exam = q.task->exam(settings, split == "train" ? train::Split::kTrainSubset
                                    : split == "val" ? train::Split::kVal
                                                     : train::Split::kTest);
    base::require(q.exam != nullptr, "--split test: ", base::quote(args.argument),
                  " was trained without a test split; give --split val, or a --text");
    q.what = fmt::format("the {} split", split);
  }
  const train::DataConstants known = q.task->constants();
  q.bytes_per_token =
      args.text("split") == "val" ? known.val_bytes_per_token : known.test_bytes_per_token;
  return q;
}

/// The names of --metrics; empty: all. Throws base::Error where one is no metric of any eval.
std::vector<std::string> metrics_of(const Parsed& args) {
  if (args.text("metrics") == "all") return {};
  std::vector<std::string_view> known = {"loss", "perplexity", "bits_per_byte"};
  for (const lab::Metric& m : lab::metrics())
    if (m.measure == "calibration" && lab::is_told(m.name)) known.push_back(m.name);
  return args.names("metrics", "metric", known);
}

/// Of the numbers those alone, in their order. Throws base::Error where one is not known here.
lab::Json chosen(lab::Json all, const std::vector<std::string>& names) {
  if (names.empty()) return all;
  lab::Json out = lab::Json::object();
  for (const auto& [name, value] : all.items())
    if (!value.is_number_float()) out[name] = value;
  for (const std::string& name : names) {
    base::require(all.contains(name), "--metrics ", name,
                  ": is not known of these forecasts; leave it out");
    out[name] = all[name];
  }
  return out;
}

int eval(const Parsed& args) {
  base::require(!args.argument.empty(),
                "evaluate which run? Give a folder that 'isodrop train --out DIR' wrote");
  const std::vector<std::string> names = metrics_of(args);
  const train::SavedRun run = train::read_run(args.argument);
  train::Settings settings = run.settings;
  train::set(settings, "evaluation", args.text("evaluation"), "--evaluation");
  if (args.has("threads")) settings.threads = args.integer("threads", 0, 4096);
  settings.eval_tokens = 0;
  base::use_threads(settings.threads);
  const lab::Question q = question(run, settings, args);
  const train::Evaluation how = train::parse_evaluation(settings.evaluation);
  engine::Params params;
  train::Predictor predictor(*q.task, params, q.task->model(settings), how.mode);
  const std::int64_t vocab = q.task->model(settings).vocab;
  engine::require_memory(static_cast<double>(params.bytes() + predictor.arena_bytes()) +
                             8 * lab::kMostScores + 16.0 * static_cast<double>(q.exam->tokens()),
                         "asking this model for every target");
  params.allocate(settings.seed);
  train::load_parameters(params, run.weights);
  engine::Buffer arena(predictor.arena_bytes());
  predictor.allocate({arena.data(), arena.size()});
  const lab::Answer said = lab::ask(predictor, q, settings, vocab);
  base::require(std::isfinite(said.loss_sum), base::quote(args.argument),
                ": its loss there is not finite: the weights are those of a run that diverged");
  const lab::Json json = chosen(lab::to_json(q, said, settings), names);
  if (args.text("format") == "json") {
    fmt::print("{}", base::json_text(json));
    return 0;
  }
  fmt::print("{} on {}, {} targets\n", args.argument, q.what,
             static_cast<std::int64_t>(said.targets));
  for (const auto& [name, value] : json.items())
    if (value.is_number_float())
      fmt::print("{:<16} {}\n", name, base::decimals(value.get<double>(), 4));
  return 0;
}

}  // namespace

// `isodrop eval`: a trained model, asked for every target of a text or a split.
Command eval_command() {
  Command c;
  c.summary =
      "Evaluate a trained model: loss, perplexity, bits per byte and calibration on any text that "
      "its vocabulary can read, or on a split of its own data. RUN is a folder of 'isodrop train'.";
  c.settings = false;
  c.argument = "RUN";
  c.extras = {
      {.flag = "text",
       .hint = "FILE",
       .help = "evaluate all of this text (default: a split of the run's own data); with --split: "
               "where the run's own text is now"},
      {.flag = "split",
       .hint = "SPLIT",
       .fallback = "test",
       .help = "evaluate this split of the run's own data",
       .choices = {"train", "val", "test"}},
      {.flag = "val", .hint = "FILE", .help = "where the run's own validation text is now"},
      {.flag = "test", .hint = "FILE", .help = "where the run's own test text is now"},
      {.flag = "csv", .hint = "FILE", .help = "where the run's own table is now"},
      bin_type_flag("text"),
      {.flag = "metrics",
       .hint = "NAME[,NAME]",
       .fallback = "all",
       .help = "show these metrics, in this order: loss, perplexity, bits_per_byte, ..."},
      {.flag = "evaluation",
       .hint = "HOW",
       .fallback = "plain",
       .help = "how to evaluate: plain, corrected or mc:N, like the setting"},
      {.flag = "threads", .hint = "N", .help = "threads; 0 is one per core (default: as the run)"},
      product_tuning_flag(),
      format_flag({"text", "json"}),
  };
  c.examples = {"isodrop eval out/train", "isodrop eval out/train --text another.txt",
                "isodrop eval out/train --split val --evaluation mc:32 --format json",
                "isodrop eval out/train --split val --text moved/book.txt"};
  c.run = eval;
  return c;
}

}  // namespace cli
