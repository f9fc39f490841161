#include "lab/runs/metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "lab/runs/measures.h"
#include "models/regularizer_table.h"
#include "train/config/evaluation.h"
#include "train/log/sink.h"

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

constexpr auto kClasses = train::TargetKind::kClass, kNormal = train::TargetKind::kNormal;

/// What `measure` has found under the row's own name.
template <std::size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&from)[N]) { std::copy_n(from, N, text); }
};
template <Name name>
Value measured(F f) {
  const auto at = f.result.measured.find(std::string_view(name.text));
  return at == f.result.measured.end() ? Value{} : Value(at->second);
}

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
       const Value bytes = f.task.constants().val_bytes_per_token;
       return loss && bytes ? Value(train::bits_per_byte(*loss, *bytes)) : Value{};
     }},
    {"test_bpb", "bits/byte", Better::kLower, "{:.4f}", kLm, "test_loss in bits per byte of text",
     [](F f) {
       const Value loss = test_loss(f);
       const Value bytes = f.task.constants().test_bytes_per_token;
       return loss && bytes ? Value(train::bits_per_byte(*loss, *bytes)) : Value{};
     }},
    {"excess", "nats/token", Better::kLower, "{:.4f}", "",
     "test_loss above the Bayes-optimal loss, where that is known",
     [](F f) { return above(test_loss(f), f.task.constants().bayes_loss); }},
    {"excess_window", "nats/token", Better::kLower, "{:.4f}", kLm,
     "test_loss above the best that a window of T tokens allows, where that is known",
     [](F f) { return above(test_loss(f), f.task.constants().bayes_loss_window); }},
    {"kl", "nats/token", Better::kLower, "{:.5f}", "",
     "KL divergence of the test split's true probabilities from the model's, where they are known",
     measured<"kl">, "calibration", kClasses},
    {"ece", "", Better::kLower, "{:.4f}", "",
     "expected calibration error of the likeliest class over 15 bins of equal mass, debiased",
     measured<"ece">, "calibration", kClasses},
    {"square_ce", "", Better::kLower, "{:.3g}", "", "its square, debiased: may be below 0",
     measured<"square_ce">, "calibration", kClasses},
    {"brier", "", Better::kLower, "{:.4f}", "",
     "mean squared error of the probabilities, in [0, 2]", measured<"brier">, "calibration",
     kClasses},
    {"accuracy", "", Better::kHigher, "{:.4f}", "", "how often the likeliest class is right",
     measured<"accuracy">, "calibration", kClasses},
    {"mse", "", Better::kLower, "{:.4f}", "", "mean squared error of a forecast's mean",
     measured<"mse">, "calibration", kNormal},
    {"excess_mse", "", Better::kLower, "{:.4f}", "",
     "mean squared distance of a forecast's mean from the Bayes-optimal one",
     measured<"excess_mse">, "calibration", kNormal},
    {"crps", "", Better::kLower, "{:.4f}", "",
     "continuous ranked probability score; of several passes of a normal with the mixture's mean "
     "and variance, as all of this kind but the losses",
     measured<"crps">, "calibration", kNormal},
    {"coverage90", "", Better::kNeither, "{:.4f}", "",
     "share of targets in the central 90 % interval", measured<"coverage90">, "calibration",
     kNormal},
    {"slope", "", Better::kNeither, "{:.4f}", "",
     "slope of predictions on the Bayes-optimal ones, else on the targets: below 1 they are "
     "shrunk",
     measured<"slope">, "calibration", kNormal},
    {"temperature", "", Better::kNeither, "{:.4f}", "",
     "by which scores divide, or standard deviations multiply, fitted on the validation split: "
     "above 1 the model is too sure",
     measured<"temperature">, "calibration"},
    {"scaled_loss", "nats/token", Better::kLower, "{:.4f}", "", "test loss with that temperature",
     measured<"scaled_loss">, "calibration"},
    {"scaled_kl", "nats/token", Better::kLower, "{:.5f}", "", "kl with that temperature",
     measured<"scaled_kl">, "calibration", kClasses},
    {"scaled_ece", "", Better::kLower, "{:.4f}", "", "ece with that temperature",
     measured<"scaled_ece">, "calibration", kClasses},
    {"scaled_square_ce", "", Better::kLower, "{:.3g}", "", "square_ce with that temperature",
     measured<"scaled_square_ce">, "calibration", kClasses},
    {"scaled_brier", "", Better::kLower, "{:.4f}", "", "brier with that temperature",
     measured<"scaled_brier">, "calibration", kClasses},
    {"scaled_crps", "", Better::kLower, "{:.4f}", "", "crps with that temperature",
     measured<"scaled_crps">, "calibration", kNormal},
    {"scaled_coverage90", "", Better::kNeither, "{:.4f}", "", "coverage90 with that temperature",
     measured<"scaled_coverage90">, "calibration", kNormal},
    {"train_mode_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "test loss as training computes it: noise drawn, batchnorm with statistics of the batch",
     measured<"train_mode_loss">, "mode_gap"},
    {"mode_gap", "nats/token", Better::kNearZero, "{:.4f}", "", "train_mode_loss - test_loss",
     measured<"mode_gap">, "mode_gap"},
    {"grad_norm", "", Better::kNeither, "{:.4f}", "",
     "median over the steps of the gradient's norm before clipping, the first tenth left out",
     measured<"grad_norm">, "stability"},
    {"grad_norm_tail", "×", Better::kLower, "{:.3f}", "",
     "the 99th percentile of that norm as a multiple of the median", measured<"grad_norm_tail">,
     "stability"},
    {"loss_spikes", "per 1000 steps", Better::kLower, "{:.2f}", "",
     "steps whose training loss lies more than 3.5 standard deviations of the preceding 50 above "
     "their mean; of independent normal losses 0.6 would",
     measured<"loss_spikes">, "stability"},
    {"first_loss", "nats/token", Better::kNeither, "{:.4f}", "",
     "training loss of the first step, regularizers on",
     [](F f) { return f.result.diverged ? Value{} : Value(f.result.first_loss); }},
    {"late_loss", "nats/token", Better::kLower, "{:.4f}", "",
     "training loss over the last tenth of the budget, regularizers on",
     [](F f) { return f.result.diverged ? Value{} : Value(f.result.late_loss); }},
    {"uniform_loss", "nats/token", Better::kNeither, "{:.4f}", "",
     "loss of the same chance for every outcome",
     [](F f) { return f.task.constants().uniform_loss; }},
    {"parameters", "", Better::kNeither, "{:.0f}", "",
     "of the model without the positions, by which FLOPs are counted; of an ensemble all of them",
     [](F f) { return Value(f.result.parameters); }},
    {"epochs", "", Better::kNeither, "{:.3g}", "", "how often the training data was seen",
     [](F f) { return Value(f.result.spent.epochs); }},
    {"steps", "", Better::kNeither, "{:.0f}", "", "updates made",
     [](F f) { return Value(static_cast<double>(f.result.spent.steps)); }},
    {"budget_spent", "", Better::kNeither, "{:.3g}", "",
     "share of the budget that was spent, where patience ended the run before it was all",
     [](F f) {
       return f.result.diverged || f.result.fraction >= 1 ? Value{} : Value(f.result.fraction);
     }},
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
     "spent on estimating the norms' statistics again, outside the budget",
     [](F f) {
       return f.result.recalibration.steps > 0 ? Value(f.result.recalibration.flops) : Value{};
     }},
    {"gflops", "GFLOP/s", Better::kHigher, "{:.0f}", "", "flops / seconds",
     [](F f) {
       const train::Spent& s = f.result.spent;
       return s.seconds > 0 ? Value(s.flops / s.seconds / 1e9) : Value{};
     }},
    {"diverged_at", "step", Better::kNeither, "{:.0f}", "",
     "step at which the loss was no longer finite, or the last one of a run that ended far above a "
     "uniform guess; null where it did not diverge",
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

const Metric& metric(std::string_view name) { return base::row_named(metrics(), name, "metric"); }

namespace {

bool measures(const train::Settings& s, std::string_view what) {
  for (const train::MeasureKind* kind : train::parse_measures(s.measure))
    if (kind->name == what) return true;
  return false;
}

/// Whether "3.hit", say, is a point of a reliability diagram.
bool is_reliability(std::string_view name) {
  const std::size_t dot = name.find('.');
  std::int64_t bin = 0;
  if (dot == name.npos || base::parse_number(name.substr(0, dot), bin) != std::errc{}) return false;
  name.remove_prefix(dot + 1);
  return bin >= 1 && bin <= kReliabilityBins && (name == "p" || name == "hit" || name == "share");
}

/// Whether "h.0.mlp.behind.w1", say, is a statistic of a place of the model.
bool is_probed(std::string_view name, const train::Settings& s) {
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos) return false;
  if (std::find(std::begin(kShifts), std::end(kShifts), name.substr(dot + 1)) == std::end(kShifts))
    return false;
  std::string_view place = name.substr(0, dot);
  constexpr std::string_view kBehind = ".behind", kLayer = "h.";
  if (place.ends_with(kBehind)) place.remove_suffix(kBehind.size());
  if (place.starts_with(kLayer)) {
    place.remove_prefix(kLayer.size());
    const std::size_t end = std::min(place.find('.'), place.size());
    std::int64_t layer = -1;
    if (base::parse_number(place.substr(0, end), layer) != std::errc{} || layer < 0 ||
        layer >= s.n_layer || end == place.size())
      return false;
    place.remove_prefix(end + 1);
    if (place == "emb" || place == "last") return false;  // of no layer
  }
  const auto hooks = models::names(models::kHookIds);
  return std::find(hooks.begin(), hooks.end(), place) != hooks.end();
}

}  // namespace

std::string why_no_metric(std::string_view name, const train::Settings& s) {
  const auto lacks = [&](std::string_view what) {
    return measures(s, what) ? ""
                             : fmt::format("{} is measured where measure has {} in it", name, what);
  };
  if (name.starts_with(kProbePrefix))
    return is_probed(name.substr(kProbePrefix.size()), s)
               ? lacks("moments")
               : fmt::format(
                     "{} is not a place and statistic of the probe, such as "
                     "probe.h.0.mlp.variance_ratio or probe.attn.behind.w1; statistics: {}",
                     name, fmt::join(kShifts, ", "));
  if (name.starts_with(kReliabilityPrefix))
    return is_reliability(name.substr(kReliabilityPrefix.size()))
               ? lacks("reliability")
               : fmt::format(
                     "{} is not a point of a reliability diagram, such as reliability.{}.hit", name,
                     kReliabilityBins);
  for (const Metric& m : metrics()) {
    if (m.name != name) continue;
    const train::TaskKind& task = base::row_named(train::task_kinds(), s.task, "task");
    if ((!m.task.empty() && m.task != s.task) || (m.forecast && *m.forecast != task.target))
      return fmt::format("the task {} has no {}", s.task, name);
    if (name.starts_with("test") && s.text.empty() == false && s.test.empty() &&
        s.test_fraction == 0)
      return fmt::format("without a test split there is no {}", name);
    return m.measure.empty() ? "" : lacks(m.measure);
  }
  return fmt::format("no metric {}; {}", base::quote(name),
                     base::suggest(name, base::names_of(metrics())));
}

std::string_view unit_of(std::string_view name) {
  for (const Metric& m : metrics())
    if (m.name == name) return m.unit;
  return "";
}

std::string text(const Metric& m, const std::optional<double>& value) {
  // Counts ("{:.0f}") in full; a loss is no number to read when it has that many digits.
  if (value && std::abs(*value) >= 1e9 && m.format.ends_with("f}") && m.format != "{:.0f}")
    return base::decimals(*value, 2);
  return value ? fmt::format(fmt::runtime(m.format), *value) : "–";
}

}  // namespace lab
