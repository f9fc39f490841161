#include "train/run_plan.h"

#include <algorithm>

#include "base/measure.h"
#include "engine/buffer.h"
#include "train/distributed/gradient_reducer.h"
#include "train/optim/optimizer.h"
#include "train/storage/initial_weights.h"

namespace train {
namespace {

/// What certainly is needed, before shapes are multiplied out by the planner.
void refuse_oversized(const models::GptConfig& c, const Settings& s) {
  const double weights = 16 * counted_parameters(c);
  const double activations =
      4.0 * passes(c.regularizers) * static_cast<double>(s.micro_batch()) *
      static_cast<double>(c.block_size) *
      (8.0 * static_cast<double>(c.n_layer * c.n_embd) + static_cast<double>(c.vocab));
  engine::require_memory(weights + activations, "this model and batch");
}

double step_tokens(const Settings& s) {
  return static_cast<double>(s.batch) * static_cast<double>(s.block_size);
}

/// 0: the budget is in seconds.
std::int64_t steps_of(const Settings& s, const models::GptConfig& config, const Feed& feed) {
  const Budget budget = run_budget(s);
  if (!budget.fixed_steps()) return 0;
  const double tokens = step_tokens(s);
  return budget.steps_for(tokens, tokens * models::flops_per_token(config),
                          feed.tokens_per_epoch());
}

}  // namespace

void check_run(const Settings& settings, const Task& task) {
  const models::GptConfig config = task.model(settings);
  refuse_oversized(config, settings);
  steps_of(settings, config, *task.feed(settings));
  if (!settings.init_from.empty()) check(read_initial_weights(settings.init_from), settings, task);
}

std::int64_t planned_steps(const Settings& settings, const Task& task) {
  return steps_of(settings, task.model(settings), *task.feed(settings));
}

RunPlan::RunPlan(const Settings& s, const Task& task)
    : settings(s), config(task.model(s)), budget(run_budget(s)), feed(task.feed(s)) {
  const base::Stopwatch start;
  total_steps = steps_of(s, config, *feed);
  tokens_per_step = step_tokens(s);
  flops_per_step = tokens_per_step * models::flops_per_token(config);
  tokens_per_epoch = feed->tokens_per_epoch();
  uniform_loss = task.constants().uniform_loss;
  val = task.exam(s, Split::kVal);
  test = task.exam(s, Split::kTest);
  train_subset = task.exam(s, Split::kTrainSubset);
  double times = kTimedEvaluations;
  if (total_steps > 0) {
    const std::int64_t every = eval_every(s, total_steps);
    times = static_cast<double>((total_steps + every - 1) / every);
  }
  evaluation = parse_evaluation(s.evaluation);
  const auto measures = parse_measures(s.measure);
  const auto asked = [&](std::string_view name) {
    return std::any_of(measures.begin(), measures.end(),
                       [&](const MeasureKind* m) { return m->name == name; });
  };
  const auto tokens = [&](const std::unique_ptr<Exam>& exam) {
    return exam ? static_cast<double>(exam->rows() * s.block_size) : 0;
  };
  // On the way, then the result's, then what is measured of it.
  const double repeats = static_cast<double>(evaluation.passes), both = tokens(val) + tokens(test);
  evaluated_tokens = times * tokens(val) + repeats * (tokens(test) + tokens(train_subset)) +
                     (evaluation.sampled() ? repeats * tokens(val) : 0) +
                     (asked("calibration") ? repeats * both : 0) +
                     (asked("mode_gap") ? kGapPasses * tokens(test) : 0) +
                     (asked("moments") ? kProbeMasks * kProbeTokens : 0);

  params = std::make_unique<engine::Params>();
  training.emplace(task, *params, config, s.micro_batch() * passes(config.regularizers),
                   models::Mode::kTrain, models::Output::kLoss, s.recompute);
  evaluator.emplace(task, *params, config,
                    evaluation.sampled() ? models::Mode::kEval : evaluation.mode);
  if (evaluation.sampled() || std::any_of(measures.begin(), measures.end(),
                                          [](const MeasureKind* m) { return m->predicts; }))
    predictor.emplace(task, *params, config, evaluation.mode);
  if (s.recalibrate_norm && config.norm->running)
    recalibration.emplace(task, *params, config, s.micro_batch());
  executed_flops = static_cast<double>(s.micro_steps()) * training->plan().cost().flops;
  memory = {params->bytes(), AdamW::bytes(*params), s.keeps_best() ? params->bytes() / 2 : 0,
            GradientReducer::bytes(*params, s.shards),
            std::max({training->plan().arena_bytes(), evaluator->arena_bytes(),
                      recalibration ? recalibration->arena_bytes() : 0,
                      predictor ? predictor->arena_bytes() : 0})};
  // Forecasts of two splits at once, with the truth if it is known; the other forms of the model
  // have weights of their own, or a copy of them.
  if (asked("calibration"))
    memory.measures = static_cast<std::size_t>(
        both * static_cast<double>(task.target_kind() == TargetKind::kClass ? config.vocab : 2) *
        (sizeof(float) + sizeof(double)));
  if (asked("mode_gap") || asked("moments"))
    memory.measures = std::max(memory.measures, 2 * (params->bytes() + memory.training));
  memory.corpus = task.bytes();
  seconds = start.seconds();
}

Spent RunPlan::spent(std::int64_t steps, double took) const {
  const auto n = static_cast<double>(steps);
  return {steps, n * tokens_per_step, n * flops_per_step, took,
          n * tokens_per_step / tokens_per_epoch};
}

}  // namespace train
