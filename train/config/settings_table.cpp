// The tables of settings and presets.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"
#include "models/init_table.h"
#include "models/norm_table.h"
#include "models/regularizer_grammar.h"
#include "ops/activation.h"
#include "train/config/budget.h"
#include "train/config/evaluation.h"
#include "train/config/settings.h"

namespace train {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr double kHuge = 1e30;  // no limit, but the range of a float

// Why an arm cannot override a setting.
constexpr std::string_view kSameData = "all arms of a comparison use the same data";
constexpr std::string_view kSameMeasure = "all arms of a comparison are measured the same way";

std::vector<std::string_view> languages() { return {"fixed", "seeded"}; }
std::vector<std::string_view> stops() { return {"end", "best"}; }
std::vector<std::string_view> tasks() { return base::names_of(task_kinds()); }
std::vector<std::string_view> norms() { return base::names_of(models::norm_kinds()); }
std::vector<std::string_view> places() { return base::names_of(models::placements()); }
std::vector<std::string_view> activations() { return base::names_of(ops::activation_kinds()); }
std::vector<std::string_view> inits() { return base::names_of(models::init_kinds()); }
std::string canonical_reg(const std::string& text) {
  return models::to_string(models::parse_regularizers(text));
}
std::string canonical_evaluation(const std::string& text) {
  return to_string(parse_evaluation(text));
}
std::string canonical_budget(const std::string& text) { return Budget::parse(text).to_string(); }

}  // namespace

std::span<const Row> settings_table() {
  using S = Settings;
  using enum Group;
  static const std::string tokenizers = data::tokenizer_forms(),
                           measures = "none, or " + base::join(base::names_of(measure_kinds())) +
                                      " joined with '+'";
  static const std::vector<Row> table = {
      // A preset in an arm would silently undo what the command line says.
      {"preset", &S::preset, Choices{preset_names}, kModel,
       "sizes, batch and learning rate together",
       "it sets many settings, batch and lr among them: name the ones that differ"},
      {"n_layer", &S::n_layer, Integers{1, 1000}, kModel, "transformer blocks (L)"},
      {"n_head", &S::n_head, Integers{1, 4096}, kModel, "attention heads (NH); must divide n_embd"},
      {"n_embd", &S::n_embd, Integers{1, 1 << 20}, kModel, "channels (C)"},
      {"block_size", &S::block_size, Integers{1, 1 << 20}, kModel, "context length in tokens (T)",
       "validation uses windows of this length, so losses would not be comparable"},
      {"bias", &S::bias, Switch{}, kModel, "biases in linear layers and norms"},
      {"norm", &S::norm, Choices{norms}, kModel, "normalization"},
      {"norm_place", &S::norm_place, Choices{places}, kModel, "position of the norms in a block"},
      {"init_stream", &S::init_stream, Integers{0, kMax}, kModel,
       "draw other initial weights with the same data and masks; 0 uses the seed's own"},
      {"init_from", &S::init_from, Text{"PATH", "a path"}, kModel,
       "initial weights: a run's folder, or a model.safetensors with its config.json, from isodrop or Hugging Face's GPT-2; sizes and vocabulary must match (default: random)"},
      {"qk_norm", &S::qk_norm, Switch{}, kModel, "RMS norm on each head's queries and keys"},
      {"recalibrate_norm", &S::recalibrate_norm, Switch{}, kModel,
       "batchnorm: re-estimate the running statistics with regularizers off before the last evaluation"},
      {"activation", &S::activation, Choices{activations}, kModel, "activation of the MLP"},
      {"mlp_hidden", &S::mlp_hidden, Integers{0, 1 << 22}, kModel,
       "hidden channels of the MLP; 0 is 4 · n_embd"},
      {"init", &S::init, Choices{inits}, kModel, "initialization of linear layers"},

      {.name = "dropout",
       .member = &S::dropout,
       .domain = Rate{},
       .group = kRegularizers,
       .help = "dropout where GPT-2 has it: embedding, attention weights, residual branches",
       .off = "0"},
      {.name = "reg",
       .member = &S::reg,
       .domain = Text{"REG", models::kRegularizerForms, canonical_reg},
       .group = kRegularizers,
       .help =
           "regularizers, such as dropout:0.1@attn/mlp+drop_path:0.1 or dropout:0.1~early:0.2; 'isodrop list regularizers' shows them",
       .off = "none"},
      {"mask_stream", &S::mask_stream, Integers{0, kMax}, kRegularizers,
       "draw other masks with the same data and initial weights; 0 uses the seed's own"},

      {"batch", &S::batch, Integers{1, 1 << 24}, kOptimizer, "sequences per step (B)"},
      {"grad_accum", &S::grad_accum, Integers{1, 1 << 24}, kOptimizer,
       "micro-steps per step (per shard); must divide the batch. Batchnorm uses the statistics of each micro-step"},
      {"shards", &S::shards, Integers{1, 1 << 24}, kOptimizer,
       "parts of a batch, shared by the processes of mpirun; results have the same bits on any number of processes. A power of two that divides batch"},
      {"lr", &S::lr, Reals{0, kHuge}, kOptimizer, "peak learning rate"},
      {"min_lr", &S::min_lr, Reals{0, kHuge}, kOptimizer, "final learning rate; auto is lr / 10"},
      {"warmup", &S::warmup, Reals{0, 1, false, true}, kOptimizer,
       "fraction of the budget for learning rate warmup"},
      {"weight_decay", &S::weight_decay, Reals{0, 1000}, kOptimizer,
       "AdamW's weight decay, on matrices only"},
      {"beta1", &S::beta1, Reals{0, 1, false, true}, kOptimizer, "AdamW's beta1"},
      {"beta2", &S::beta2, Reals{0, 1, false, true}, kOptimizer, "AdamW's beta2"},
      {"grad_clip", &S::grad_clip, Reals{0, kHuge}, kOptimizer,
       "clip the global gradient norm to this; 0 is off"},

      {"task", &S::task, Choices{tasks}, kData, "what to learn", kSameData},
      {"text", &S::text, Text{"PATH", "a path"}, kData,
       "training text: a file, folder or pattern; also .jsonl, .gz, .zst, or token ids in a .bin (default: the built-in corpus)",
       kSameData},
      {"val", &S::val, Text{"PATH", "a path"}, kData,
       "validation text, used for tuning and early stopping (default: part of the text)",
       kSameData},
      {"test", &S::test, Text{"PATH", "a path"}, kData,
       "test text, used for verdicts (default: the end of the text)", kSameData},
      {"tokenizer", &S::tokenizer, Text{"HOW", tokenizers.c_str(), data::canonical_tokenizer},
       kData, "tokenizer; see 'isodrop list tokenizers'", kSameData},
      {"csv", &S::csv, Text{"PATH", "a path"}, kData,
       "training table: a CSV file whose first line names the columns", kSameData},
      {"target", &S::target, Text{"NAME", "a column's name"}, kData,
       "column of the table to predict from the others", kSameData},
      {"columns_per_token", &S::columns_per_token, Integers{1, 1 << 20}, kData,
       "consecutive columns of the table in one token; block_size is the number of tokens",
       kSameData},
      {"bin_type", &S::bin_type, Choices{data::bin_types}, kData,
       "id type of a .bin without a header; auto is uint16, and an error if the ids look wider",
       kSameData},
      {"val_fraction", &S::val_fraction, Reals{0, 1, true, true}, kData,
       "fraction of the text or table for validation, just before the test part", kSameData},
      {"test_fraction", &S::test_fraction, Reals{0, 1, false, true}, kData,
       "fraction of the text or table for testing, at its end; 0 is no test split, as in nanoGPT",
       kSameData},
      {"language", &S::language, Choices{languages}, kData,
       "language of the built-in corpus: the same for all seeds, or one per seed", kSameData},
      {"target_noise", &S::target_noise, Reals{0, 1, false, true}, kData,
       "fraction of training targets replaced by a random symbol, always the same ones (task lm)",
       kSameData},
      {"unique_tokens", &S::unique_tokens, Integers{0, kMax}, kData,
       "train repeatedly on this many tokens (or rows of them), chosen by the seed; 0 uses all training text, randomly sampled (new rows, or the whole table)",
       kSameData},

      {"budget", &S::budget, Text{"BUDGET", kBudgetForms, canonical_budget}, kRun,
       "training budget", "all arms of a comparison get the same budget"},
      {"budget_share", &S::budget_share, Reals{0, 1024, true}, kRun,
       "fraction of the budget to spend; schedules end there"},
      {"stop", &S::stop, Choices{stops}, kRun,
       "which weights are the result: the last ones, or those with the lowest validation loss"},
      {"patience", &S::patience, Integers{0, kMax}, kRun,
       "stop early after this many evaluations without a lower validation loss; 0 is off"},
      {"members", &S::members, Integers{1, 1024}, kRun,
       "models in an ensemble that share the budget; probabilities are averaged, so inference costs N times as much"},
      {"evaluation", &S::evaluation,
       Text{
           "HOW",
           "plain (noise off), corrected (noise replaced by its root mean square) or mc:N (N noisy passes averaged)",
           canonical_evaluation},
       kRun, "how the result is evaluated"},
      {"measure", &S::measure, Text{"WHAT", measures.c_str(), canonical_measures}, kRun,
       "extra measurements of the result, outside the budget", kSameMeasure},
      {"seed", &S::seed, Seeds{}, kRun, "seed of initial weights, data order and masks",
       "arms are paired by seed"},
      {"threads", &S::threads, Integers{0, 4096}, kRun, "threads; 0 is one per core",
       "it changes the speed, not the result"},
      {"recompute", &S::recompute, Switch{}, kRun,
       "gradient checkpointing: keep only what crosses layers and recompute the rest in backward; less memory, more time",
       "it changes memory and speed, not the result"},
      {"eval_interval", &S::eval_interval, Integers{0, kMax}, kRun,
       "steps between evaluations; 0 makes 10 to 20 over the budget", kSameMeasure},
      {"eval_tokens", &S::eval_tokens, Integers{0, kMax}, kRun,
       "validation and test tokens to evaluate on; 0 is all", kSameMeasure},
  };
  return table;
}

std::vector<std::string_view> setting_names() { return base::names_of(settings_table()); }

std::string_view title(Group group) {
  constexpr std::string_view kTitles[] = {"model", "regularizers", "optimizer", "data", "run"};
  return kTitles[static_cast<std::size_t>(group)];
}

const Row* find_setting(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  for (const Row& row : settings_table())
    if (row.name == wanted) return &row;
  return nullptr;
}

std::span<const Preset> presets() {
  static const std::vector<Preset> table = {
      // lr: with 1e-3 the built-in text is not learned in a thousand steps (06-learning-rates).
      {"tiny",
       "2 layers, 2 heads, 64 channels, T 64: trains in seconds",
       {{"n_layer", "2"},
        {"n_head", "2"},
        {"n_embd", "64"},
        {"block_size", "64"},
        {"batch", "16"},
        {"bias", "false"},
        {"lr", "4e-3"}},
       65},
      {"nano",
       "4 layers, 4 heads, 128 channels, T 64: nanoGPT's CPU example",
       {{"n_layer", "4"},
        {"n_head", "4"},
        {"n_embd", "128"},
        {"block_size", "64"},
        {"batch", "12"},
        {"bias", "false"},
        {"lr", "1e-3"}},
       65},
      {"char",
       "6 layers, 6 heads, 384 channels, T 256: nanoGPT's character model",
       {{"n_layer", "6"},
        {"n_head", "6"},
        {"n_embd", "384"},
        {"block_size", "256"},
        {"batch", "64"},
        {"bias", "false"},
        {"lr", "1e-3"}},
       65},
      // Batch 4 keeps 124M parameters and their activations within a laptop's memory.
      {"gpt2",
       "12 layers, 12 heads, 768 channels, T 1024, biases: GPT-2 small",
       {{"n_layer", "12"},
        {"n_head", "12"},
        {"n_embd", "768"},
        {"block_size", "1024"},
        {"batch", "4"},
        {"bias", "true"},
        {"lr", "6e-4"}},
       50257},
  };
  return table;
}

std::vector<std::string_view> preset_names() { return base::names_of(presets()); }

const Preset& preset_of(const Settings& settings) {
  return base::row_named(presets(), settings.preset, "preset");
}

}  // namespace train
