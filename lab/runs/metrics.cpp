#include "lab/runs/metrics.h"

#include <fmt/format.h>

#include "engine/table.h"
#include "train/log/json_lines.h"

namespace lab {
namespace {

using F = const RunFacts&;
using Value = std::optional<double>;

/// What a run that diverged has no more.
Value final_loss(F f) { return f.result.diverged ? Value{} : f.result.val_loss; }

Value test_loss(F f) { return f.result.diverged ? Value{} : f.result.test_loss; }

Value above(const Value& loss, const Value& bound) {
  return loss && bound ? Value(*loss - *bound) : Value{};
}

constexpr std::string_view kLm = "lm";

constexpr Metric kMetrics[] = {
    {"val_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "loss on the validation split at the end (with stop=best, of the lowest evaluation), "
     "regularizers off",
     final_loss},
    {"best_val_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "lowest of the evaluations on the way: optimistic, the validation split chose it",
     [](F f) { return f.result.best_val_loss; }},
    {"test_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "loss on the test split at the end, regularizers off: what verdicts are on", test_loss},
    {"train_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "loss on a fixed part of the training data at the end, regularizers off",
     [](F f) { return f.result.diverged ? Value{} : f.result.train_loss; }},
    {"gap", "nats/token", Better::kNearZero, "{:.4f}", "", "val_loss - train_loss",
     [](F f) {
       return f.result.diverged ? Value{} : above(f.result.val_loss, f.result.train_loss);
     }},
    {"val_bpb", "bits/byte", Better::kLower, "{:.4f}", kLm, "val_loss in bits per byte of text",
     [](F f) {
       const Value loss = final_loss(f);
       const Value bytes = f.task.constant("val_bytes_per_token");
       return loss && bytes ? Value(train::bits_per_byte(*loss, *bytes)) : Value{};
     }},
    {"test_bpb", "bits/byte", Better::kLower, "{:.4f}", kLm, "test_loss in bits per byte of text",
     [](F f) {
       const Value loss = test_loss(f);
       const Value bytes = f.task.constant("test_bytes_per_token");
       return loss && bytes ? Value(train::bits_per_byte(*loss, *bytes)) : Value{};
     }},
    {"excess", "nats/token", Better::kLower, "{:.4f}", kLm,
     "test_loss above the Bayes-optimal loss, where that is known",
     [](F f) { return above(test_loss(f), f.task.constant("bayes_loss")); }},
    {"excess_window", "nats/token", Better::kLower, "{:.4f}", kLm,
     "test_loss above the best that a window of T tokens allows, where that is known",
     [](F f) { return above(test_loss(f), f.task.constant("bayes_loss_window")); }},
    {"first_loss", "nats/token", Better::kNeither, "{:.4f}", "",
     "training loss of the first step, regularizers on",
     [](F f) { return f.result.diverged ? Value{} : Value(f.result.first_loss); }},
    {"late_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "training loss over the last tenth of the budget, regularizers on",
     [](F f) { return f.result.diverged ? Value{} : Value(f.result.late_loss); }},
    {"uniform_loss", "nats/token", Better::kNeither, "{:.4f}", "",
     "loss of the same chance for every outcome",
     [](F f) { return f.task.constant("uniform_loss"); }},
    {"epochs", "", Better::kNeither, "{:.3g}", "", "how often the training data was seen",
     [](F f) { return Value(f.result.spent.epochs); }},
    {"steps", "", Better::kNeither, "{:.0f}", "", "updates made",
     [](F f) { return Value(static_cast<double>(f.result.spent.steps)); }},
    {"tokens", "", Better::kNeither, "{:.0f}", "", "tokens trained on",
     [](F f) { return Value(f.result.spent.tokens); }},
    {"flops", "FLOP", Better::kNeither, "{:.4g}", "",
     "spent on training, by the convention of the budget (6N + 12LCT a token)",
     [](F f) { return Value(f.result.spent.flops); }},
    {"executed_flops", "FLOP", Better::kNeither, "{:.4g}", "",
     "what the ops of training took: attention up to the diagonal, extra passes, recomputation",
     [](F f) { return Value(f.result.executed_flops); }},
    {"seconds", "s", Better::kLower, "{:.1f}", "", "spent on training",
     [](F f) { return Value(f.result.spent.seconds); }},
    {"eval_seconds", "s", Better::kLower, "{:.1f}", "", "spent on evaluation, outside the budget",
     [](F f) { return Value(f.result.eval_seconds); }},
    {"setup_seconds", "s", Better::kLower, "{:.2f}", "", "spent before the first step",
     [](F f) { return Value(f.result.setup_seconds); }},
    {"recalibration_flops", "FLOP", Better::kNeither, "{:.4g}", "",
     "spent on estimating the norms' statistics anew, outside the budget",
     [](F f) {
       return f.result.recalibration.steps > 0 ? Value(f.result.recalibration.flops) : Value{};
     }},
    {"gflops", "GFLOP/s", Better::kHigher, "{:.0f}", "", "flops / seconds",
     [](F f) {
       const train::Spent& s = f.result.spent;
       return s.seconds > 0 ? Value(s.flops / s.seconds / 1e9) : Value{};
     }},
    {"diverged_at", "step", Better::kNeither, "{:.0f}", "",
     "step at which the loss was no longer finite; null where it stayed so",
     [](F f) {
       return f.result.diverged ? Value(static_cast<double>(f.result.diverged_at)) : Value{};
     }},
    {"diverged_lr", "", Better::kNeither, "{:.3g}", "", "learning rate of that step",
     [](F f) { return f.result.diverged ? Value(f.result.diverged_lr) : Value{}; }},
};

}  // namespace

std::string_view to_string(Better better) {
  switch (better) {
    case Better::kLower:
      return "lower";
    case Better::kHigher:
      return "higher";
    case Better::kNearZero:
      return "near 0";
    case Better::kNeither:
      return "neither";
  }
  return "?";
}

std::span<const Metric> metrics() { return kMetrics; }

const Metric& metric(std::string_view name) { return engine::row_named(metrics(), name, "metric"); }

std::string text(const Metric& m, const std::optional<double>& value) {
  return value ? fmt::format(fmt::runtime(m.format), *value) : "–";
}

}  // namespace lab
