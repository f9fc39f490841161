#include <cmath>
#include <memory>

#include "base/measure.h"
#include "train/run.h"
#include "train/trainer.h"

namespace train {
namespace {

Settings member(const Settings& all, std::int64_t number) {
  Settings s = all;
  s.members = 1;
  s.budget_share = all.budget_share / static_cast<double>(all.members);
  // Numbers that no other member of the same arm, nor of one with other streams, has.
  s.init_stream = all.init_stream * all.members + number;
  s.mask_stream = all.mask_stream * all.members + number;
  return s;
}

/// −log of what each target was given.
std::vector<double> losses(const Predictions& p) {
  std::vector<double> out(p.count());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (p.kind == TargetKind::kClass) {
      out[i] =
          -static_cast<double>(p.scores[i * p.classes + static_cast<std::size_t>(p.labels[i])]);
    } else {
      out[i] = normal_nll(p.means[i], p.sds[i], p.targets[i]);
    }
  }
  return out;
}

/// −log of the mean of likelihoods, target by target.
class Average {
 public:
  void add(const std::vector<double>& losses) {
    if (sums_.empty()) sums_.assign(losses.size(), -INFINITY);
    for (std::size_t i = 0; i < losses.size(); ++i) sums_[i] = log_add(sums_[i], -losses[i]);
    ++members_;
  }
  Examined over(const Exam& exam) const {
    Examined out;
    double all = 0;
    std::size_t at = 0;
    for (std::int64_t row = 0; row < exam.rows(); ++row) {
      double window = 0;
      for (std::int64_t t = 0; t < exam.tokens(row); ++t)
        window += std::log(static_cast<double>(members_)) - sums_[at++];
      const auto n = static_cast<double>(std::max<std::int64_t>(1, exam.tokens(row)));
      out.windows.push_back(static_cast<float>(window / n));
      all += window;
    }
    out.loss = all / static_cast<double>(exam.tokens());
    return out;
  }

 private:
  std::vector<double> sums_;  // log Σ likelihood
  int members_ = 0;
};

/// Progress of a member as that of all.
class Shifted final : public Sink {
 public:
  Shifted(const std::vector<Sink*>& to, std::int64_t number, std::int64_t members, Spent before)
      : to_(to), number_(number), members_(members), before_(before) {}
  void progress(const Progress& p) override {
    Progress all = p;
    all.step += before_.steps;
    all.steps *= members_;
    all.spent += before_;
    all.fraction = (static_cast<double>(number_) + p.fraction) / static_cast<double>(members_);
    all.val_loss.reset();  // of one member: no point of a curve
    for (Sink* sink : to_) sink->progress(all);
  }

 private:
  const std::vector<Sink*>& to_;
  std::int64_t number_, members_;
  Spent before_;
};

}  // namespace

RunResult run_ensemble(const Settings& settings, const Task& task,
                       const std::vector<Sink*>& sinks) {
  RunResult result;
  Average val, test, train;
  double fractions = 0;
  for (std::int64_t number = 0; number < settings.members; ++number) {
    const Settings s = member(settings, number);
    check_run(s, task);
    Trainer trainer(s, task);
    Shifted shifted(sinks, number, settings.members, result.spent);
    const RunResult one = run(trainer, {&shifted});
    const RunPlan& plan = trainer.planned();
    if (number == 0) result.first_loss = one.first_loss;
    result.late_loss = one.late_loss;
    fractions += one.fraction;
    result.fraction = fractions / static_cast<double>(settings.members);
    result.running_loss = one.running_loss;
    result.spent += one.spent;
    result.recalibration += one.recalibration;
    result.parameters += one.parameters;
    result.executed_flops += one.executed_flops;
    result.eval_seconds += one.eval_seconds;
    result.setup_seconds += one.setup_seconds;
    if (one.diverged) {
      result.diverged = true;
      result.diverged_at = result.spent.steps;
      result.diverged_lr = one.diverged_lr;
      return result;
    }
    const base::Stopwatch start;
    Predictor predictor(task, trainer.params(), plan.config, plan.evaluation.mode);
    engine::Buffer arena(predictor.arena_bytes());
    predictor.allocate({arena.data(), arena.size()});
    const auto hear = [&](Average& average, const Exam& exam) {
      average.add(losses(predictor.predict(exam, plan.evaluation.passes,
                                           evaluation_masks(trainer.planned().settings),
                                           trainer.state().progress, Keep::kForecasts)));
    };
    hear(val, *plan.val);
    hear(train, *plan.train_subset);
    if (plan.test) hear(test, *plan.test);
    result.eval_seconds += start.seconds();
    if (number + 1 < settings.members) continue;
    Examined heard = val.over(*plan.val);
    result.val_loss = result.best_val_loss = heard.loss;
    result.val_windows = std::move(heard.windows);
    result.train_loss = train.over(*plan.train_subset).loss;
    if (!plan.test) continue;
    heard = test.over(*plan.test);
    result.test_loss = heard.loss;
    result.test_windows = std::move(heard.windows);
  }
  return result;
}

}  // namespace train
