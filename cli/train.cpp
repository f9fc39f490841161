#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/options.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "engine/parallel.h"
#include "lab/runs/environment.h"
#include "lab/runs/run_store.h"
#include "train/data/load_corpus.h"
#include "train/run_files.h"
#include "train/safetensors.h"

namespace cli {
namespace {

constexpr int kDiverged = 3;

const Command& command() {
  static const Command kCommand = [] {
    Command c;
    c.name = "train";
    c.summary = "Train one model, write its weights, print a summary.";
    c.extras = {
        {"out", "DIR", "out/train", "folder for config, metrics, summary and weights"},
        {"format", "FORMAT", "text", "of the summary", false, {"text", "json"}},
        {"compare", "", "",
         "train with and without the regularizers at the same budget and print the paired answer"},
        {"seeds", "N", "5", "of --compare: paired seeds"},
        jobs_flag(),
        {"dry-run", "", "", "say what it will take (memory, FLOPs, time) and train nothing"},
    };
    c.examples = {"isodrop train --text book.txt --preset nano --budget 2000steps",
                  "isodrop train --text book.txt --dropout 0.1 --compare"};
    return c;
  }();
  return kCommand;
}

nlohmann::ordered_json summary(const train::RunResult& r, const train::Corpus& corpus) {
  const auto known = [](const std::optional<double>& x) {
    return x ? nlohmann::ordered_json(*x) : nlohmann::ordered_json(nullptr);
  };
  return {{"status", r.diverged ? "diverged" : "ok"},
          {"val_loss", known(r.diverged ? std::nullopt : r.val_loss)},
          {"val_bpb", r.diverged || !r.val_loss ? nlohmann::ordered_json(nullptr)
                                                : nlohmann::ordered_json(train::bits_per_byte(
                                                      *r.val_loss, corpus.val_bytes_per_token))},
          {"best_val_loss", known(r.best_val_loss)},
          {"train_loss", known(r.train_loss)},
          {"bayes_loss", known(corpus.bayes_loss)},
          {"bayes_loss_window", known(corpus.bayes_loss_window)},
          {"steps", r.spent.steps},
          {"epochs", r.spent.epochs},
          {"tokens", r.spent.tokens},
          {"flops", r.spent.flops},
          {"seconds", r.spent.seconds},
          {"eval_seconds", r.eval_seconds},
          {"setup_seconds", r.setup_seconds},
          {"gflops", r.spent.seconds > 0 ? r.spent.flops / r.spent.seconds / 1e9 : 0.0}};
}

void print_text(const nlohmann::ordered_json& s, const std::string& weights) {
  const auto number = [&](const char* key) {
    return s[key].is_number() ? fmt::format("{:.4f}", s[key].get<double>()) : std::string("–");
  };
  fmt::print("validation loss  {} nats/token ({} bits/byte), best along the way {}\n",
             number("val_loss"), number("val_bpb"), number("best_val_loss"));
  if (s["bayes_loss"].is_number())
    fmt::print("Bayes-optimal    {}, from a window of T {}\n", number("bayes_loss"),
               number("bayes_loss_window"));
  fmt::print("train loss       {} (regularizers off, fixed subset)\n", number("train_loss"));
  fmt::print("spent            {} steps, {} tokens, {}FLOP in {} ({:.0f} GFLOP/s), evaluation {}\n",
             s["steps"].get<std::int64_t>(), with_prefix(s["tokens"].get<double>()),
             with_prefix(s["flops"].get<double>()), duration(s["seconds"].get<double>()),
             s["gflops"].get<double>(), duration(s["eval_seconds"].get<double>()));
  fmt::print("weights          {}\n", weights);
}

int compare(const Parsed& args) {
  engine::require(!args.has("out") || args.text("out") != "", "--out: a folder name is needed");
  lab::ComparisonSpec spec;
  spec.base = args.settings;
  const lab::Arm without = lab::parse_arm("none", spec.base);
  engine::require(!(without.settings == spec.base),
                  "--compare: no regularizer is set, so there is nothing to compare; give one, for "
                  "example --dropout 0.1");
  lab::Arm with;
  with.name = "as given";
  with.settings = spec.base;
  spec.arms = {without, with};
  spec.seeds = args.integer("seeds", 1, 10'000);
  if (args.has("out")) spec.out = args.text("out");
  return run_comparison(std::move(spec), compare_options(args));
}

int train_one(const Parsed& args) {
  engine::require(!args.has("jobs"), "--jobs ", args.text("jobs"),
                  ": this is one run; it is for --compare");
  const train::Settings& settings = args.settings;
  if (settings.threads > 0) omp_set_num_threads(static_cast<int>(settings.threads));
  for (const std::string& note : train::notes(settings))
    fmt::print(stderr, "isodrop: note: {}\n", note);
  const train::Corpus corpus = train::load_corpus(settings);
  if (args.has("dry-run")) return show_dry_run(lab::dry_run(settings, corpus), args.text("format"));
  const std::filesystem::path folder = args.text("out");
  lab::refuse_comparison(folder);
  train::check_run(settings, corpus);
  train::Trainer trainer(settings, corpus);
  train::RunFiles files(folder, settings, lab::environment(settings.threads));
  ProgressLine line;
  const train::RunResult result = trainer.run([&](const train::Progress& p) {
    files.metrics(p, corpus.val_bytes_per_token);
    if (p.val_loss)
      line.note(progress_text(p));
    else if (line.due())
      line.update(progress_text(p));
  });
  line.finish();
  const auto json = summary(result, corpus);
  train::write_json(folder / "summary.json", json);
  if (result.diverged) {
    fmt::print(stderr,
               "isodrop: diverged: the loss is not finite at step {} (learning rate {:.3g}); lower "
               "--lr or lengthen --warmup\n",
               result.diverged_at, result.diverged_lr);
    if (args.text("format") == "json") fmt::print("{}\n", json.dump(2));
    return kDiverged;
  }
  const auto weights = folder / "model.safetensors";
  train::write_safetensors(weights, trainer.params(), {{"format", "isodrop"}});
  if (args.text("format") == "json")
    fmt::print("{}\n", json.dump(2));
  else
    print_text(json, weights.string());
  return 0;
}

}  // namespace

int train_command(int argc, const char* const* argv) {
  const Parsed args = parse(command(), argc, argv);
  if (args.help) {
    fmt::print("{}", help(command(), columns(stdout), color(stdout)));
    return 0;
  }
  return args.has("compare") ? compare(args) : train_one(args);
}

}  // namespace cli
