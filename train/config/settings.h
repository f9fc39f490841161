// Every setting of a run, in one table that drives flags, help, config.json and arms.
//
// To add a setting: a member of Settings with its default, and one row in settings_table.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "train/config/budget.h"

namespace train {

class Task;
struct Settings;

/// What a model predicts for a target. kClass: logits of V classes for an i32, which does not count
/// below 0. kNormal: a mean and, through softplus, a standard deviation (see ops::gaussian_nll) for
/// an f32, which does not count if it is NaN.
enum class TargetKind : std::uint8_t { kClass, kNormal };

/// Where a task's data come from, which decides its settings: a text or the built-in corpus, a
/// generator of its own, or a table.
enum class DataFrom : std::uint8_t { kText, kGenerator, kTable };

struct TaskKind {
  std::string_view name, help;
  std::unique_ptr<Task> (*load)(const Settings&);
  DataFrom from = DataFrom::kText;
  TargetKind target = TargetKind::kClass;
};
/// The table of tasks; its rows are in train/tasks/task.cpp.
std::span<const TaskKind> task_kinds();

/// A run's settings, each with its default (those of the preset `nano`).
struct Settings {
  std::string preset = "nano";
  // model
  std::int64_t n_layer = 4, n_head = 4, n_embd = 128, block_size = 64;
  bool bias = false;
  std::int64_t init_stream = 0;  // of the seed's initial weights; the rest of the seed stays
  std::string init_from;         // weights to begin with: a path; empty: drawn
  std::string norm = "layernorm", norm_place = "pre", activation = "gelu", init = "gpt2";
  bool qk_norm = false, recalibrate_norm = false;
  std::int64_t mlp_hidden = 0;  // 0: 4·n_embd
  // regularizers
  double dropout = 0;
  std::string reg = "none";
  std::int64_t mask_stream = 0;  // of the seed's streams of masks; the rest of the seed stays
  // optimizer
  // the whole batch, the shards it is cut into, and the micro-steps that share a shard
  std::int64_t batch = 12, shards = 1, grad_accum = 1;
  double lr = 1e-3;
  std::optional<double> min_lr;  // not set: a tenth of lr
  double warmup = 0.05;
  double weight_decay = 0.1, beta1 = 0.9, beta2 = 0.99, grad_clip = 1;
  // data
  std::string task = "lm";
  std::string text, val, test;
  std::string tokenizer = "char", bin_type = "auto";
  double val_fraction = 0.1, test_fraction = 0.1;
  std::string csv, target;             // a table, and its column that is predicted
  std::int64_t columns_per_token = 1;  // of the table's others
  std::string language = "fixed";      // of the built-in corpus
  double target_noise = 0;             // share of training targets that are drawn at random
  std::int64_t unique_tokens = 0;      // train on this many; 0: crops of the whole split
  // run
  std::string budget = "2000steps";
  double budget_share = 1;           // of the budget, with schedules that end there
  std::int64_t members = 1;          // models that share the budget and are asked together
  std::string stop = "end";          // whose weights are the result
  std::int64_t patience = 0;         // evaluations without improvement that end it; 0: none do
  std::string evaluation = "plain";  // of the result
  std::string measure = "none";      // beside its losses
  std::uint64_t seed = 1;
  std::int64_t threads = 0, eval_interval = 0, eval_tokens = 0;
  bool recompute = false;

  /// Of one step, all shards together.
  std::int64_t micro_steps() const { return shards * grad_accum; }
  std::int64_t micro_batch() const { return batch / micro_steps(); }
  double final_lr() const { return min_lr.value_or(lr / 10); }
  /// Whether the result is the weights of the lowest validation loss, not those of the end.
  bool keeps_best() const { return stop == "best"; }
  bool operator==(const Settings&) const = default;
};

using Member =
    std::variant<std::int64_t Settings::*, std::uint64_t Settings::*, double Settings::*,
                 bool Settings::*, std::string Settings::*, std::optional<double> Settings::*>;

// What a setting may be.
struct Integers {
  std::int64_t low, high;
};
struct Seeds {};  // any whole number of 64 bits
struct Reals {
  double low, high;
  bool open_low = false, open_high = false;
};
struct Rate {};    // in [0, 1), and below 1 by more than the masks' resolution
struct Switch {};  // true or false
struct Choices {
  std::vector<std::string_view> (*list)();
};
struct Text {
  std::string_view hint, what;  // "PATH", "a path"
  // Checks the value (throws Error) and gives its one canonical spelling; null: any text.
  std::string (*canonical)(const std::string&) = nullptr;
};
using Domain = std::variant<Integers, Seeds, Reals, Rate, Switch, Choices, Text>;

/// Lambdas as one function, to visit a Member or a Domain.
template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

enum class Group { kModel, kRegularizers, kOptimizer, kData, kRun };
inline constexpr Group kGroups[] = {Group::kModel, Group::kRegularizers, Group::kOptimizer,
                                    Group::kData, Group::kRun};
std::string_view title(Group);

struct Row {
  std::string_view name;
  Member member;  // its initializer in Settings is the default
  Domain domain;
  Group group;
  std::string_view help;
  std::string_view shared = {};  // why no arm may override it; empty: it may
  std::string_view off = {};     // its value in the arm `none`; empty: not a regularizer
  bool arm_ok() const { return shared.empty(); }
};

struct Preset {
  std::string_view name, help;
  std::vector<std::pair<std::string_view, std::string_view>> values;
  std::int64_t vocabulary;  // assumed without a corpus (dry runs, benchmarks)
};

std::span<const Row> settings_table();
std::span<const Preset> presets();
std::vector<std::string_view> setting_names();
std::vector<std::string_view> preset_names();

/// The row of `name` ('-' and '_' are one), or null.
const Row* find_setting(std::string_view name);
/// The preset of `settings`; throws Error if it is unknown.
const Preset& preset_of(const Settings& settings);

/// One setting as given; `source` is the flag ("--lr"), arm or file it came from.
struct Assignment {
  std::string name, value, source;
};

/// Sets one setting from text; a preset sets all of its values. Throws Error for an unknown name,
/// and for a malformed value or one that is out of range.
void set(Settings& settings, std::string_view name, std::string_view value,
         std::string_view source = {});

/// `base` with `given` on top. A preset goes first, wherever it stands, so that the rest overrides
/// it.
Settings resolve(const Settings& base, std::span<const Assignment> given);

/// With every path absolute: data, tokenizer and initial weights.
Settings with_absolute_paths(Settings settings);

/// Throws base::Error if a path of the data is a pipe or socket, for which a reader would wait, in
/// settings that a file (`source`) names, not a person. What the process was given open
/// (/dev/stdin) stays.
void refuse_pipes(const Settings& settings, std::string_view source);

/// The budget times budget_share.
Budget run_budget(const Settings& settings);

/// Checks rules between settings; throws Error. `source` as above, empty for the command line.
void validate(const Settings& settings, std::string_view source = {});

/// Remarks on settings that are valid but may not do what one expects.
std::vector<std::string> notes(const Settings& settings);

/// The value in the spelling that set() reads.
std::string value_text(const Settings& settings, const Row& row);
/// "a rate in [0, 1)"
std::string domain_text(const Row& row);
/// The placeholder of the value in help: "N"; empty for a switch.
std::string hint_text(const Row& row);
/// The help line with its domain and its value in `defaults`.
std::string help_text(const Row& row, const Settings& defaults = {});

/// A seed as exact() writes it, or a plain number; nothing for anything else.
std::optional<std::uint64_t> seed_from_json(const nlohmann::ordered_json& json);

/// Whether both have the same value in this row.
bool equal_in(const Row& row, const Settings& a, const Settings& b);
/// One value as to_json() writes it.
nlohmann::ordered_json json_value(const Settings& settings, const Row& row);

/// All settings in the table's order; min_lr not set is null, a seed as exact() has it.
nlohmann::ordered_json to_json(const Settings& settings);
/// Reads to_json()'s output, trusting nothing. Missing settings have their default (older files);
/// unknown ones, wrong types and values out of range throw Error naming `source`.
Settings from_json(const nlohmann::ordered_json& json, std::string_view source);

/// All settings as TOML in the table's order, for people and for `--config`. Empty texts are left
/// out.
std::string to_toml(const Settings& settings);

/// Steps between evaluations: eval_interval, or if that is 0 enough for 10 to 20 of them.
std::int64_t eval_every(const Settings& settings, std::int64_t steps);

}  // namespace train
