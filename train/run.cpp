#include "train/run.h"

#include <algorithm>
#include <cmath>

#include "engine/stopwatch.h"

namespace train {
namespace {

constexpr double kReportSeconds = 1;
constexpr double kLate = 0.1;  // share of the budget at its end

/// Whether to evaluate between the steps, the last one aside.
bool evaluation_due(const Trainer& trainer, TrainState& s) {
  const Settings& settings = trainer.planned().settings;
  if (trainer.total_steps() > 0) return s.step % eval_every(settings, trainer.total_steps()) == 0;
  if (settings.eval_interval > 0) return s.step % settings.eval_interval == 0;
  const double fraction = trainer.fraction();
  if (fraction < s.next_eval) return false;
  s.next_eval = fraction + 1 / kTimedEvaluations;
  return true;
}

/// Evaluates and keeps what came of it. False: the loss is not finite.
bool evaluate(Trainer& trainer, TrainState& s) {
  const engine::Stopwatch start;
  const double val = trainer.evaluate().loss;
  s.eval_seconds += start.seconds();
  if (!std::isfinite(val)) return false;
  s.val_loss = val;
  if (s.best_val_loss && *s.best_val_loss <= val) return true;
  s.best_val_loss = val;
  if (trainer.planned().settings.stop == "best") trainer.keep_weights();
  return true;
}

/// What is known of the weights that are the result.
void examine(Trainer& trainer, RunResult& result) {
  TrainState& s = trainer.state();
  const engine::Stopwatch start;
  if (!s.best_weights.empty()) trainer.restore_weights();
  result.train_loss = trainer.evaluate(Split::kTrainSubset).loss;
  Examined val = trainer.evaluate(Split::kVal);
  result.val_loss = val.loss;
  result.val_windows = std::move(val.windows);
  if (trainer.planned().test) {
    Examined test = trainer.evaluate(Split::kTest);
    result.test_loss = test.loss;
    result.test_windows = std::move(test.windows);
  }
  s.eval_seconds += start.seconds();
}

}  // namespace

RunResult run(Trainer& trainer, const std::vector<Sink*>& sinks) {
  TrainState& s = trainer.state();
  RunResult result;
  double reported = s.spent.seconds;
  bool diverged = false;
  while (!trainer.finished() && !diverged) {
    const bool late = trainer.fraction() >= 1 - kLate;
    const double loss = trainer.advance();
    if (!s.first_loss) s.first_loss = loss;
    if (late) s.late_loss_sum += loss, ++s.late_loss_count;
    result.running_loss = s.running_loss();
    diverged = !std::isfinite(loss) || !std::isfinite(s.grad_norm);
    if (diverged) break;
    const bool last = trainer.finished(), due = evaluation_due(trainer, s) || last;
    if (!due && s.spent.seconds - reported < kReportSeconds) continue;
    Progress p{
        s.step,     trainer.total_steps(), s.spent, trainer.fraction(), s.running_loss(), {}, s.lr,
        s.grad_norm};
    if (due) {
      if (last) result.recalibration = trainer.recalibrate();
      diverged = !evaluate(trainer, s);
      if (diverged) break;
      p.val_loss = s.val_loss;
      s.loss_sum = 0, s.loss_count = 0;
    }
    for (Sink* sink : sinks) sink->progress(p);
    reported = s.spent.seconds;
  }
  if (diverged) {
    result.diverged = true;
    result.diverged_at = s.step;
    result.diverged_lr = s.lr;
    result.val_loss = s.val_loss;
  } else {
    examine(trainer, result);
  }
  result.best_val_loss = s.best_val_loss;
  result.first_loss = s.first_loss.value_or(0);
  // A budget of few steps may have none that begins in its last tenth.
  result.late_loss = s.late_loss_count > 0
                         ? s.late_loss_sum / static_cast<double>(s.late_loss_count)
                         : result.running_loss;
  result.executed_flops = trainer.planned().executed_flops * static_cast<double>(s.step);
  result.spent = s.spent;
  result.eval_seconds = s.eval_seconds;
  result.setup_seconds = trainer.setup_seconds();
  return result;
}

}  // namespace train
