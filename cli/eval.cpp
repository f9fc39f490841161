#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "engine/buffer.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "engine/suggest.h"
#include "lab/runs/build.h"
#include "lab/runs/measures.h"
#include "lab/runs/metrics.h"
#include "train/data/held_out_text.h"
#include "train/data/language_modelling.h"
#include "train/evaluation.h"
#include "train/predictor.h"
#include "train/run_files.h"
#include "train/trainer.h"

namespace cli {
namespace {

/// What is asked: another text, or a split of what the run was trained on.
struct Question {
  std::unique_ptr<train::Task> task;
  std::unique_ptr<train::Exam> exam;
  std::string what;  // "book.txt", "the test split"
  std::optional<double> bytes_per_token;
};

Question question(const train::SavedRun& run, const train::Settings& settings, const Parsed& args) {
  Question q;
  const std::string& text = args.text("text");
  if (!text.empty()) {
    q.task = std::make_unique<train::LanguageModelling>(train::held_out_text(run, text));
    q.exam = q.task->exam(settings, train::Split::kTest);
    q.what = text;
  } else {
    const std::string& split = args.text("split");
    q.task = train::load_task(run.settings);
    train::require_same_data(run, *q.task);
    q.exam = q.task->exam(settings, split == "train" ? train::Split::kTrainSubset
                                    : split == "val" ? train::Split::kVal
                                                     : train::Split::kTest);
    engine::require(q.exam != nullptr, "--split test: ", engine::quote(args.argument),
                    " was trained without a test split; give --split val, or a --text");
    q.what = fmt::format("the {} split", split);
  }
  q.bytes_per_token = q.task->constant(args.text("split") == "val" ? "val_bytes_per_token"
                                                                   : "test_bytes_per_token");
  return q;
}

/// The loss, and what else is known of the forecasts without a split to fit a temperature on.
lab::Json answer(const Question& q, const train::Predictions& said, const train::Settings& s) {
  lab::Json json = {{"schema", "isodrop-eval-1"},
                    {"on", q.what},
                    {"evaluation", s.evaluation},
                    {"targets", said.count()},
                    {"loss", said.examined.loss}};
  if (said.kind == train::Forecast::kClasses) json["perplexity"] = std::exp(said.examined.loss);
  if (q.bytes_per_token)
    json["bits_per_byte"] = train::bits_per_byte(said.examined.loss, *q.bytes_per_token);
  for (const auto& [name, value] : lab::calibration(said, said))
    if (!name.starts_with("scaled_") && name != "temperature") json[name] = value;
  return json;
}

int eval(const Parsed& args) {
  engine::require(!args.argument.empty(),
                  "evaluate what? Give a folder that 'isodrop train --out DIR' wrote");
  const train::SavedRun run = train::read_run(args.argument);
  train::Settings settings = run.settings;
  train::set(settings, "evaluation", args.text("evaluation"), "--evaluation");
  if (args.has("threads")) settings.threads = args.integer("threads", 0, 4096);
  settings.eval_tokens = 0;
  engine::use_threads(settings.threads);
  const Question q = question(run, settings, args);
  const train::Evaluation how = train::parse_evaluation(settings.evaluation);
  engine::Params params;
  train::Predictor predictor(*q.task, params, q.task->model(settings), how.mode);
  engine::require_memory(static_cast<double>(params.bytes() + predictor.arena_bytes()) +
                             4.0 * static_cast<double>(q.exam->tokens()) *
                                 static_cast<double>(q.task->model(settings).vocab),
                         "asking this model for every target");
  params.allocate(settings.seed);
  train::load_parameters(params, run.weights);
  engine::Buffer arena(predictor.arena_bytes());
  predictor.allocate({arena.data(), arena.size()});
  const train::Predictions said =
      predictor.predict(*q.exam, how.passes, train::evaluation_masks(settings), /*progress=*/1);
  engine::require(std::isfinite(said.examined.loss), engine::quote(args.argument),
                  ": its loss there is not finite: the weights are those of a run that diverged");
  const lab::Json json = answer(q, said, settings);
  if (args.text("format") == "json") {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("{} on {}, {} targets\n", args.argument, q.what, said.count());
  for (const auto& [name, value] : json.items())
    if (value.is_number_float()) fmt::print("{:<16} {:.4f}\n", name, value.get<double>());
  return 0;
}

}  // namespace

// `isodrop eval`: a trained model, asked for every target of a text or a split.
Command eval_command() {
  Command c;
  c.summary =
      "Evaluate a trained model: loss, perplexity, bits per byte and calibration on any text that "
      "its vocabulary can read, or on a split of its own data.";
  c.settings = false;
  c.argument = "FOLDER";
  c.extras = {
      {"text", "FILE", "", "the whole of it is evaluated (default: a split of the run's own data)"},
      {"split",
       "SPLIT",
       "test",
       "of the run's own data",
       false,
       {"train", "val", "test"},
       {},
       "text"},
      {"evaluation", "HOW", "plain", "plain, corrected or mc:N, as the setting"},
      {"threads", "N", "", "threads; 0 is as many as there are cores (default: as the run)"},
      product_tuning_flag(),
      {"format", "FORMAT", "text", "of what it says", false, {"text", "json"}},
  };
  c.examples = {"isodrop eval out/train", "isodrop eval out/train --text another.txt",
                "isodrop eval out/train --split val --evaluation mc:32 --format json"};
  c.run = eval;
  return c;
}

}  // namespace cli
