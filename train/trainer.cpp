#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "train/learning_rate.h"

namespace train {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::size_t kTrainSubset = 32768;  // tokens of the fixed subset for the train loss
constexpr double kReportSeconds = 1;
constexpr double kTimedEvaluations = 10;  // in a budget of seconds

/// What certainly is needed, before shapes are multiplied out by the planner.
void refuse_oversized(const models::GptConfig& c, const Settings& s) {
  const double weights = 16 * counted_parameters(c);
  const double activations =
      4.0 * passes(c.regularizers) * static_cast<double>(s.micro_batch()) *
      static_cast<double>(c.block_size) *
      (8.0 * static_cast<double>(c.n_layer * c.n_embd) + static_cast<double>(c.vocab));
  engine::require_memory(weights + activations, "this model and batch");
}

std::optional<std::int64_t> unique_tokens(const Settings& s) {
  return s.unique_tokens > 0 ? std::optional(s.unique_tokens) : std::nullopt;
}

double step_tokens(const Settings& s) {
  return static_cast<double>(s.batch) * static_cast<double>(s.block_size);
}

double epoch_tokens(const Batches& batches, const Settings& s, const Corpus& corpus) {
  return batches.windows_per_epoch() > 0
             ? static_cast<double>(batches.windows_per_epoch() * s.block_size)
             : static_cast<double>(corpus.train.size());
}

}  // namespace

void check_run(const Settings& settings, const Corpus& corpus) {
  const models::GptConfig config = gpt_config(settings, corpus.vocab);
  refuse_oversized(config, settings);
  const Batches batches(corpus.train, settings.block_size, settings.batch, 0,
                        unique_tokens(settings));
  const Budget budget = run_budget(settings);
  if (!budget.fixed_steps()) return;
  const double tokens = step_tokens(settings);
  budget.steps_for(tokens, tokens * models::flops_per_token(config),
                   epoch_tokens(batches, settings, corpus));
}

Trainer::Trainer(const Settings& settings, const Corpus& corpus, Make make)
    : settings_(settings),
      corpus_(corpus),
      config_(gpt_config(settings, corpus.vocab)),
      budget_(run_budget(settings)),
      batches_(corpus.train, settings.block_size, settings.batch,
               static_cast<std::uint64_t>(settings.seed), unique_tokens(settings)) {
  const auto start = Clock::now();
  if (make == Make::kWhole) refuse_oversized(config_, settings_);
  tokens_per_step_ = step_tokens(settings_);
  flops_per_step_ = tokens_per_step_ * models::flops_per_token(config_);
  tokens_per_epoch_ = epoch_tokens(batches_, settings_, corpus_);
  if (budget_.fixed_steps())
    total_steps_ = budget_.steps_for(tokens_per_step_, flops_per_step_, tokens_per_epoch_);

  params_ = std::make_unique<engine::Params>();
  engine::Tape tape(*params_);
  const std::int64_t rows = settings_.micro_batch() * passes(config_.regularizers);
  gpt_ = models::record_gpt(tape, config_, rows, config_.block_size, models::Mode::kTrain);
  engine::PlanOptions options;
  options.keep = {gpt_.cross_entropy};
  options.recompute = settings_.recompute;
  plan_.emplace(std::move(tape), gpt_.loss, options);
  evaluator_.emplace(*params_, config_);
  if (settings_.recalibrate_norm && config_.norm->running)
    recalibration_.emplace(*params_, config_, settings_.micro_batch());
  memory_ = {params_->bytes(), AdamW::bytes(*params_),
             std::max({plan_->arena_bytes(), evaluator_->arena_bytes(),
                       recalibration_ ? recalibration_->arena_bytes() : 0})};
  memory_.corpus = (corpus.train.size() + corpus.val.size()) * sizeof(std::int32_t);
  setup_seconds_ = since(start);
  if (make == Make::kWhole) allocate();
}

void Trainer::allocate() {
  const auto start = Clock::now();
  engine::require_memory(static_cast<double>(memory_.allocated()), "this model and batch");
  params_->allocate(static_cast<std::uint64_t>(settings_.seed));
  AdamWConfig adam;
  adam.beta1 = settings_.beta1;
  adam.beta2 = settings_.beta2;
  adam.weight_decay = settings_.weight_decay;
  adam.clip = settings_.grad_clip;
  optimizer_.emplace(*params_, adam);
  const std::int64_t rows = settings_.micro_batch() * passes(config_.regularizers);
  tokens_.resize(static_cast<std::size_t>(rows * settings_.block_size));
  targets_.resize(tokens_.size());
  plan_->bind(gpt_.tokens, tokens_.data());
  plan_->bind(gpt_.targets, targets_.data());
  plan_->set_loss_scale(1.0F / static_cast<float>(settings_.grad_accum));
  arena_ = engine::Buffer(memory_.training);
  const std::span arena(arena_.data(), arena_.size());
  plan_->lend(arena);
  evaluator_->lend(arena);
  if (recalibration_) recalibration_->lend(arena);
  plan_->prepare();
  setup_seconds_ += since(start);
}

void Trainer::repeat_rows(std::int64_t passes) {
  const std::int64_t T = settings_.block_size;
  for (std::int64_t row = settings_.micro_batch() * passes - 1; row > 0; --row)
    for (std::vector<std::int32_t>* rows : {&tokens_, &targets_}) {
      const std::int32_t* from = rows->data() + row / passes * T;
      std::copy(from, from + T, rows->data() + row * T);
    }
}

void Trainer::observe(StepObserver* observer) {
  observer_ = observer;
  plan_->observe(observer);
}

template <class F>
void Trainer::observed(StepObserver::Phase phase, const F& work) {
  if (observer_ == nullptr) return work();
  const auto start = Clock::now();
  work();
  observer_->phase(phase, since(start));
}

double Trainer::step(std::uint64_t index, double progress) {
  double loss = 0;
  const std::int64_t rows = settings_.micro_batch(), passes = models::passes(config_.regularizers);
  progress_ = progress;
  for (std::int64_t micro = 0; micro < settings_.grad_accum; ++micro) {
    const engine::Step step{static_cast<std::uint64_t>(settings_.seed), index,
                            static_cast<std::uint64_t>(micro * rows * passes), progress};
    observed(StepObserver::Phase::kData, [&] {
      batches_.fill(index, micro * rows, rows, tokens_.data(), targets_.data());
      if (passes > 1) repeat_rows(passes);
    });
    plan_->forward(step);
    plan_->backward(step, micro > 0);
    loss += static_cast<double>(*plan_->view(gpt_.cross_entropy).f32());
  }
  const LearningRate rate{settings_.lr, settings_.final_lr(), settings_.warmup};
  observed(StepObserver::Phase::kOptimizer,
           [&] { grad_norm_ = optimizer_->step(rate.at(progress)); });
  return loss / static_cast<double>(settings_.grad_accum);
}

std::span<const std::int32_t> Trainer::validation() const {
  const std::span<const std::int32_t> val = corpus_.val;
  if (settings_.eval_tokens == 0) return val;
  return val.first(std::min(val.size(), static_cast<std::size_t>(settings_.eval_tokens) + 1));
}

double Trainer::evaluate() { return evaluator_->loss(validation(), progress_); }

double Trainer::evaluated_tokens() const {
  double times = kTimedEvaluations;
  if (total_steps_ > 0) {
    const std::int64_t every = eval_every(settings_, total_steps_);
    times = static_cast<double>((total_steps_ + every - 1) / every);
  }
  const std::size_t subset = std::min(batches_.reachable().size(), kTrainSubset);
  return times * static_cast<double>(validation().size()) + static_cast<double>(subset);
}

Spent Trainer::spent(std::int64_t steps, double seconds) const {
  const auto n = static_cast<double>(steps);
  return {steps, n * tokens_per_step_, n * flops_per_step_, seconds,
          n * tokens_per_step_ / tokens_per_epoch_};
}

RunResult Trainer::run(const std::function<void(const Progress&)>& report) {
  RunResult result;
  result.setup_seconds = setup_seconds_;
  const LearningRate rate{settings_.lr, settings_.final_lr(), settings_.warmup};
  const bool timed = total_steps_ == 0;
  double seconds = 0, loss_sum = 0, since_report = 0;
  std::int64_t loss_count = 0, every = timed ? 0 : eval_every(settings_, total_steps_);
  double next_eval = 1 / kTimedEvaluations;  // share of the budget, when timed
  for (std::int64_t i = 0;; ++i) {
    // The middle of the step, so that neither the first nor the last update is wasted on a rate of
    // 0.
    const double progress =
        timed ? budget_.fraction_spent(spent(i, seconds))
              : (static_cast<double>(i) + 0.5) / static_cast<double>(total_steps_);
    const auto start = Clock::now();
    const double loss = step(static_cast<std::uint64_t>(i), progress);
    const double took = since(start);
    seconds += took;
    since_report += took;
    loss_sum += loss;
    ++loss_count;
    result.spent = spent(i + 1, seconds);
    result.running_loss = loss_sum / static_cast<double>(loss_count);
    if (!std::isfinite(loss) || !std::isfinite(grad_norm_)) {
      result.diverged = true;
      result.diverged_at = i + 1;
      result.diverged_lr = rate.at(progress);
      return result;
    }
    const double fraction = budget_.fraction_spent(result.spent);
    const bool last = timed ? fraction >= 1 : i + 1 == total_steps_;
    bool due = last || (!timed && every > 0 && (i + 1) % every == 0);
    if (timed && settings_.eval_interval > 0) due = last || (i + 1) % settings_.eval_interval == 0;
    if (timed && settings_.eval_interval == 0 && fraction >= next_eval) {
      due = true;
      next_eval = fraction + 1 / kTimedEvaluations;
    }
    if (!due && since_report < kReportSeconds) continue;
    Progress p{i + 1,
               total_steps_,
               result.spent,
               timed ? fraction : static_cast<double>(i + 1) / static_cast<double>(total_steps_),
               result.running_loss,
               {},
               rate.at(progress),
               grad_norm_};
    if (due) {
      const auto eval_start = Clock::now();
      if (last && recalibration_) recalibration_->run(batches_);
      const double val = evaluate();
      result.eval_seconds += since(eval_start);
      if (!std::isfinite(val)) {
        result.diverged = true;
        result.diverged_at = i + 1;
        result.diverged_lr = p.lr;
        return result;
      }
      p.val_loss = result.val_loss = val;
      result.best_val_loss = std::min(val, result.best_val_loss.value_or(val));
    }
    if (report) report(p);
    since_report = 0;
    if (due) loss_sum = 0, loss_count = 0;
    if (last) break;
  }
  const auto eval_start = Clock::now();
  const auto reachable = batches_.reachable();
  result.train_loss =
      evaluator_->loss(reachable.first(std::min(reachable.size(), kTrainSubset)), progress_);
  result.eval_seconds += since(eval_start);
  return result;
}

}  // namespace train
