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

// Why arms have a setting in common.
constexpr std::string_view kSameData = "the arms of a comparison see the same data";
constexpr std::string_view kSameMeasure = "the arms of a comparison are measured alike";

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

const std::vector<Row>& rows() {
  using S = Settings;
  using enum Group;
  static const std::string tokenizers = data::tokenizer_forms(),
                           measures = "none, or " + base::join(base::names_of(measure_kinds())) +
                                      " with '+' between";
  static const std::vector<Row> table = {
      // A preset in an arm would silently take back what the command line says.
      {"preset", &S::preset, Choices{preset_names}, kModel,
       "sizes, batch and learning rate at once",
       "it stands for many settings, batch and lr included: name the ones that differ"},
      {"n_layer", &S::n_layer, Integers{1, 1000}, kModel, "transformer blocks (L)"},
      {"n_head", &S::n_head, Integers{1, 4096}, kModel, "attention heads (NH); must divide n_embd"},
      {"n_embd", &S::n_embd, Integers{1, 1 << 20}, kModel, "channels (C)"},
      {"block_size", &S::block_size, Integers{1, 1 << 20}, kModel, "context in tokens (T)",
       "validation is measured in windows of that length, so the losses would not compare"},
      {"bias", &S::bias, Switch{}, kModel, "biases in linear layers and norms"},
      {"norm", &S::norm, Choices{norms}, kModel, "normalization"},
      {"norm_place", &S::norm_place, Choices{places}, kModel, "where the norms of a block stand"},
      {"init_stream", &S::init_stream, Integers{0, kMax}, kModel,
       "other initial weights with the same data and masks; 0 is the seed's own"},
      {"init_from", &S::init_from, Text{"PATH", "a path"}, kModel,
       "weights to begin with: the folder of a run, or a model.safetensors of isodrop or of "
       "Hugging "
       "Face's GPT-2 with its config.json beside it; sizes and vocabulary must be the same "
       "(default: drawn)"},
      {"qk_norm", &S::qk_norm, Switch{}, kModel, "RMS norm of each head's queries and keys"},
      {"recalibrate_norm", &S::recalibrate_norm, Switch{}, kModel,
       "batchnorm: estimate the running statistics anew, regularizers off, before the last "
       "evaluation"},
      {"activation", &S::activation, Choices{activations}, kModel, "of the MLP's hidden layer"},
      {"mlp_hidden", &S::mlp_hidden, Integers{0, 1 << 22}, kModel,
       "channels of the MLP's hidden layer; 0 is 4 · n_embd"},
      {"init", &S::init, Choices{inits}, kModel, "how the weights of linear layers start"},

      {"dropout", &S::dropout, Rate{}, kRegularizers,
       "dropout where GPT-2 has it: embedding, attention weights, residual branches", "", "0"},
      {"reg", &S::reg, Text{"REG", models::kRegularizerForms, canonical_reg}, kRegularizers,
       "regularizers, as in dropout:0.1@attn/mlp+drop_path:0.1 or dropout:0.1~early:0.2; 'isodrop "
       "list regularizers' shows them",
       "", "none"},
      {"mask_stream", &S::mask_stream, Integers{0, kMax}, kRegularizers,
       "other masks with the same data and initial weights; 0 is the seed's own"},

      {"batch", &S::batch, Integers{1, 1 << 24}, kOptimizer, "sequences per step (B)"},
      {"grad_accum", &S::grad_accum, Integers{1, 1 << 24}, kOptimizer,
       "micro-steps that a step's batch (each of its shards) is divided into; must divide it. Each "
       "has batchnorm statistics of its own"},
      {"shards", &S::shards, Integers{1, 1 << 24}, kOptimizer,
       "parts that a step's batch is cut into, which the processes of mpirun share; gradients are "
       "summed in a fixed tree, the same bits on any number of processes. A power of two; must "
       "divide batch"},
      {"lr", &S::lr, Reals{0, kHuge}, kOptimizer, "highest learning rate"},
      {"min_lr", &S::min_lr, Reals{0, kHuge}, kOptimizer,
       "learning rate at the end of the budget; auto is lr / 10"},
      {"warmup", &S::warmup, Reals{0, 1, false, true}, kOptimizer,
       "share of the budget over which the learning rate rises"},
      {"weight_decay", &S::weight_decay, Reals{0, 1000}, kOptimizer,
       "AdamW's decay, on matrices only"},
      {"beta1", &S::beta1, Reals{0, 1, false, true}, kOptimizer, "AdamW's first-moment decay"},
      {"beta2", &S::beta2, Reals{0, 1, false, true}, kOptimizer, "AdamW's second-moment decay"},
      {"grad_clip", &S::grad_clip, Reals{0, kHuge}, kOptimizer,
       "largest global norm of the gradient; 0 does not clip"},

      {"task", &S::task, Choices{tasks}, kData, "what is learned", kSameData},
      {"text", &S::text, Text{"PATH", "a path"}, kData,
       "text to train on: a file, folder or pattern, also .jsonl, .gz, .zst, or token ids in a "
       ".bin "
       "(default: the built-in corpus)",
       kSameData},
      {"val", &S::val, Text{"PATH", "a path"}, kData,
       "text to validate on, by which is chosen (default: a part of the text)", kSameData},
      {"test", &S::test, Text{"PATH", "a path"}, kData,
       "text to test on, by which is judged (default: the end of the text)", kSameData},
      {"tokenizer", &S::tokenizer, Text{"HOW", tokenizers.c_str(), data::canonical_tokenizer},
       kData, "what a token is; 'isodrop list tokenizers' says more", kSameData},
      {"csv", &S::csv, Text{"PATH", "a path"}, kData,
       "table to train on, a CSV file whose first line names its columns", kSameData},
      {"target", &S::target, Text{"NAME", "a column's name"}, kData,
       "column of the table that is predicted from the others", kSameData},
      {"columns_per_token", &S::columns_per_token, Integers{1, 1 << 20}, kData,
       "of the table: consecutive columns that make one token; block_size is how many there are",
       kSameData},
      {"bin_type", &S::bin_type, Choices{data::bin_types}, kData,
       "how wide the ids of a .bin without a header are; auto is uint16, and refuses what looks "
       "wider",
       kSameData},
      {"val_fraction", &S::val_fraction, Reals{0, 1, true, true}, kData,
       "share of the text or table to validate on, before that of the test", kSameData},
      {"test_fraction", &S::test_fraction, Reals{0, 1, false, true}, kData,
       "share of the text or table to test on, at its end; 0 is no test split, as nanoGPT has it",
       kSameData},
      {"language", &S::language, Choices{languages}, kData,
       "of the built-in corpus: the same for all seeds, or one per seed", kSameData},
      {"target_noise", &S::target_noise, Reals{0, 1, false, true}, kData,
       "share of the training targets that are replaced by a symbol drawn at random, the same ones "
       "whenever they are seen (task lm)",
       kSameData},
      {"unique_tokens", &S::unique_tokens, Integers{0, kMax}, kData,
       "train on one stretch (or rows) of so many tokens, placed by the seed, again and again; 0 "
       "takes random crops of the whole training split (new rows, the whole table)",
       kSameData},

      {"budget", &S::budget, Text{"BUDGET", kBudgetForms, canonical_budget}, kRun,
       "how much to train", "the arms of a comparison get the same budget"},
      {"budget_share", &S::budget_share, Reals{0, 1024, true}, kRun,
       "share of the budget to spend, with schedules that end there"},
      {"stop", &S::stop, Choices{stops}, kRun,
       "whose weights are the result: those of the end, or of the evaluation with the lowest "
       "validation loss"},
      {"patience", &S::patience, Integers{0, kMax}, kRun,
       "evaluations without a lower validation loss after which a run ends before its budget; 0 "
       "ends none"},
      {"members", &S::members, Integers{1, 1024}, kRun,
       "models that share the budget, probabilities averaged: an ensemble, whose answers take as "
       "many times the compute"},
      {"evaluation", &S::evaluation,
       Text{"HOW", "plain, corrected (noise's root mean square in its place) or mc:N (N passes)",
            canonical_evaluation},
       kRun, "how the result is asked: without noise, or averaged over it"},
      {"measure", &S::measure, Text{"WHAT", measures.c_str(), canonical_measures}, kRun,
       "what is measured of the result beside its losses, outside the budget", kSameMeasure},
      {"seed", &S::seed, Seeds{}, kRun, "seed of initial weights, data order and masks",
       "arms are paired by seed"},
      {"threads", &S::threads, Integers{0, 4096}, kRun, "threads; 0 is one per core",
       "it changes the speed, not the result"},
      {"recompute", &S::recompute, Switch{}, kRun,
       "keep what crosses layers only and compute the rest again in backward: less memory, more "
       "time",
       "it changes memory and speed, not the result"},
      {"eval_interval", &S::eval_interval, Integers{0, kMax}, kRun,
       "steps between evaluations; 0 makes 10 to 20 over the budget", kSameMeasure},
      {"eval_tokens", &S::eval_tokens, Integers{0, kMax}, kRun,
       "tokens of the validation split to evaluate on; 0 is all of it", kSameMeasure},
  };
  return table;
}

}  // namespace

std::span<const Row> settings_table() { return rows(); }
std::vector<std::string_view> setting_names() { return base::names_of(settings_table()); }

std::string_view title(Group group) {
  switch (group) {
    case Group::kModel:
      return "model";
    case Group::kRegularizers:
      return "regularizers";
    case Group::kOptimizer:
      return "optimizer";
    case Group::kData:
      return "data";
    case Group::kRun:
      return "run";
  }
  return "";
}

const Row* find_setting(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  for (const Row& row : rows())
    if (row.name == wanted) return &row;
  return nullptr;
}

std::span<const Preset> presets() {
  static const std::vector<Preset> table = {
      {"tiny",
       "2 layers, 2 heads, 64 channels, T 64: seconds, for a try",
       {{"n_layer", "2"},
        {"n_head", "2"},
        {"n_embd", "64"},
        {"block_size", "64"},
        {"batch", "16"},
        {"bias", "false"},
        {"lr", "1e-3"}},
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
