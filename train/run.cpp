#include "train/run.h"

#include <algorithm>
#include <cmath>

#include "base/measure.h"
#include "train/watches.h"

namespace train {
namespace {

constexpr double kReportSeconds = 1;
constexpr double kLate = 0.1;     // share of the budget at its end
constexpr double kFarAbove = 10;  // times the loss of a uniform guess

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

/// Evaluates and keeps what came of it, the windows of the weights that will be the result.
/// False: the loss is not finite.
bool evaluate(Trainer& trainer, TrainState& s) {
  const base::Stopwatch start;
  Examined val = trainer.evaluate();
  s.eval_seconds += start.seconds();
  if (!std::isfinite(val.loss)) return false;
  s.val_loss = val.loss;
  const bool best = !s.best_val_loss || val.loss < *s.best_val_loss;
  if (best) s.best_val_loss = val.loss;
  s.worse = best ? 0 : s.worse + 1;
  const bool stop_at_best = trainer.planned().settings.keeps_best();
  if (best && stop_at_best) trainer.keep_weights();
  if (best || !stop_at_best) s.val_windows = std::move(val.windows);
  return true;
}

/// What else is known of the weights that are the result.
void examine(Trainer& trainer, RunResult& result) {
  TrainState& s = trainer.state();
  const base::Stopwatch start;
  result.val_loss = s.val_loss;
  if (!s.best_weights.empty()) {
    trainer.restore_weights();
    result.val_loss = s.best_val_loss;
  }
  result.val_windows = s.val_windows;
  if (trainer.planned().evaluation.sampled()) {
    Examined val = trainer.examine(Split::kVal);
    result.val_loss = val.loss;
    result.val_windows = std::move(val.windows);
  }
  result.train_loss = trainer.examine(Split::kTrainSubset).loss;
  if (trainer.planned().test) {
    Examined test = trainer.examine(Split::kTest);
    result.test_loss = test.loss;
    result.test_windows = std::move(test.windows);
  }
  s.eval_seconds += start.seconds();
}

/// Whether the result is so bad that the weights have blown up, though every number stayed finite.
/// The data are those of training: overfitting shows on the others alone.
bool blown_up(const RunPlan& plan, const RunResult& result) {
  const double guess = plan.uniform_loss.value_or(result.first_loss);
  return result.train_loss.value_or(0) > kFarAbove * std::max(1.0, guess);
}

/// The next step. Where another process of the run is gone, the state of the last whole one is kept
/// before anybody is told, unless a part of it is gone, too.
double advance(Trainer& trainer, const Keeping& keeping) {
  try {
    return trainer.advance();
  } catch (const RankLost&) {
    trainer.undo_step();
    if (keeping.save && trainer.state().step > 0 && !trainer.shards_moments()) keeping.save();
    throw;
  }
}

/// Decides when to keep the state.
class Keeper {
 public:
  Keeper(const Keeping& how, const TrainState& state) : how_(how), state_(state) {}

  /// Whether the run is to stop here. `done`: it has ended by itself.
  bool after_step(bool done) {
    const bool stop = !done && how_.stop && how_.stop();
    const bool by_steps = how_.every_steps > 0, by_time = how_.every_seconds > 0;
    const bool due = (by_steps && (done || state_.step % how_.every_steps == 0)) ||
                     (by_time && (done || kept_.seconds() >= how_.every_seconds));
    if (how_.save && (due || stop)) {
      how_.save();
      kept_ = {};
    }
    return stop;
  }

 private:
  const Keeping& how_;
  const TrainState& state_;
  base::Stopwatch kept_;
};

}  // namespace

RunResult run(Trainer& trainer, const std::vector<Sink*>& sinks, const Keeping& keeping,
              std::int64_t norms_interval) {
  TrainState& s = trainer.state();
  NormWatch watch(norms_interval);
  RunResult result;
  double reported = s.spent.seconds;
  Keeper keeper(keeping, s);
  bool diverged = false;
  while (!trainer.finished() && !diverged) {
    const bool late = trainer.fraction() >= 1 - kLate;
    watch.before(trainer);
    const double loss = advance(trainer, keeping);
    if (const auto norms = watch.after(trainer))
      for (Sink* sink : sinks) sink->norms(*norms);
    if (!s.first_loss) s.first_loss = loss;
    if (late) s.late_loss_sum += loss, ++s.late_loss_count;
    diverged = !std::isfinite(loss) || !std::isfinite(s.grad_norm);
    if (diverged) break;
    const bool last = trainer.finished(), due = evaluation_due(trainer, s) || last;
    if (due || s.spent.seconds - reported >= kReportSeconds) {
      Progress p{s.step,
                 trainer.total_steps(),
                 s.spent,
                 trainer.fraction(),
                 s.running_loss(),
                 {},
                 s.lr,
                 s.grad_norm};
      if (due) {
        if (last) s.recalibration = trainer.recalibrate();
        diverged = !evaluate(trainer, s);
        if (diverged) break;
        p.val_loss = s.val_loss;
        if (!trainer.finished()) s.loss_sum = 0, s.loss_count = 0;
      }
      for (Sink* sink : sinks) sink->progress(p);
      reported = s.spent.seconds;
    }
    result.stopped = keeper.after_step(trainer.finished());
    if (result.stopped) break;
  }
  result.spent = s.spent;
  result.fraction = trainer.fraction();
  if (result.stopped) return result;
  result.first_loss = s.first_loss.value_or(0);
  if (!diverged) {
    examine(trainer, result);
    diverged = blown_up(trainer.planned(), result);
  }
  if (diverged) {
    result.diverged = true;
    result.diverged_at = s.step;
    result.diverged_lr = s.lr;
    result.val_loss = s.val_loss;
    result.val_windows.clear();
    result.test_windows.clear();
  }
  result.running_loss = s.running_loss();
  result.best_val_loss = s.best_val_loss;
  // A budget of few steps may have none that begins in its last tenth.
  result.late_loss = s.late_loss_count > 0
                         ? s.late_loss_sum / static_cast<double>(s.late_loss_count)
                         : result.running_loss;
  result.parameters = models::counted_parameters(trainer.planned().config);
  result.executed_flops = trainer.planned().executed_flops * static_cast<double>(s.step);
  result.recalibration = s.recalibration;
  result.eval_seconds = s.eval_seconds;
  result.setup_seconds = trainer.setup_seconds();
  return result;
}

}  // namespace train
