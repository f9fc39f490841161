#include "train/trainer.h"

#include <algorithm>
#include <utility>

#include "base/measure.h"
#include "train/storage/initial_weights.h"

namespace train {
namespace {

RunPlan checked_plan(const Settings& settings, const Task& task) {
  check_run(settings, task);
  return {settings, task};
}

/// The seed itself for stream 0; steps of the golden ratio of 2^64 keep the others far from it.
std::uint64_t stream_seed(const Settings& s, std::int64_t stream) {
  return s.seed + 0x9E3779B97F4A7C15U * static_cast<std::uint64_t>(stream);
}

std::uint64_t mask_seed(const Settings& s) { return stream_seed(s, s.mask_stream); }

}  // namespace

Trainer::Trainer(const Settings& settings, const Task& task)
    : Trainer(checked_plan(settings, task)) {}

Trainer::Trainer(RunPlan plan) : planned_(std::move(plan)) {
  const base::Stopwatch start;
  const Settings& s = planned_.settings;
  engine::require_memory(static_cast<double>(planned_.memory.allocated()), "this model and batch");
  state_.params = std::move(planned_.params);
  state_.params->allocate(stream_seed(s, s.init_stream));
  if (!s.init_from.empty()) load_initial_weights(*state_.params, s);
  state_.next_eval = 1 / kTimedEvaluations;
  if (!planned_.moments_sharded) state_.moments = Moments(*state_.params);
  AdamWConfig adam;
  adam.beta1 = s.beta1;
  adam.beta2 = s.beta2;
  adam.weight_decay = s.weight_decay;
  adam.clip = s.grad_clip;
  optimizer_.emplace(*state_.params, adam);
  arena_ = engine::Buffer(planned_.memory.training);
  const std::span arena(arena_.data(), arena_.size());
  planned_.training->allocate(arena);
  planned_.evaluator->allocate(arena);
  if (planned_.recalibration) planned_.recalibration->allocate(arena);
  if (planned_.predictor) planned_.predictor->allocate(arena);
  this->plan().set_loss_scale(1.0F / static_cast<float>(s.micro_steps()));
  this->plan().prepare();
  reducer_ = std::make_unique<GradientReducer>(*state_.params, s.shards, nullptr);
  setup_seconds_ = planned_.seconds + start.seconds();
}

void Trainer::observe(StepObserver* observer) {
  observer_ = observer;
  plan().observe(observer);
}

template <class F>
void Trainer::observed(StepObserver::Phase phase, const F& work) {
  if (observer_ == nullptr) return work();
  const base::Stopwatch start;
  work();
  observer_->phase(phase, start.seconds());
}

double Trainer::shard(std::int64_t number, std::uint64_t index, double progress) {
  const auto ready = [this](int param) { reducer_->ready(param); };
  const Settings& s = planned_.settings;
  BoundPlan& training = *planned_.training;
  const std::int64_t rows = s.micro_batch(), passes = models::passes(planned_.config.regularizers);
  double loss = 0;
  for (std::int64_t micro = 0; micro < s.grad_accum; ++micro) {
    const std::int64_t first = (number * s.grad_accum + micro) * rows;
    const engine::Step step{mask_seed(s), index, static_cast<std::uint64_t>(first * passes),
                            progress};
    observed(StepObserver::Phase::kData, [&] {
      planned_.feed->fill(index, first, rows, training.inputs());
      if (passes > 1) training.repeat_rows(passes);
    });
    training.plan().forward(step);
    const bool last = micro + 1 == s.grad_accum && reducer_->overlaps();
    training.plan().backward(step, micro > 0, last ? ready : std::function<void(int)>());
    loss += training.reported();
  }
  return loss;
}

double Trainer::gradients(std::uint64_t index, double progress) {
  reducer_->begin_step();
  if (led_ != nullptr) send_command(*led_, {RankCommand::Kind::kGradients, index, progress});
  state_.progress = progress;
  for (std::int64_t i = 0; i < reducer_->count(); ++i) {
    reducer_->begin_shard();
    reducer_->add(shard(reducer_->first() + i, index, progress));
  }
  return reducer_->finalize() / static_cast<double>(planned_.settings.micro_steps());
}

void Trainer::update(double progress) {
  if (led_ != nullptr) send_command(*led_, {RankCommand::Kind::kUpdate, 0, progress});
  const Settings& s = planned_.settings;
  state_.lr = LearningRate{s.lr, s.final_lr(), s.warmup}.at(progress);
  drop_moments();
  observed(StepObserver::Phase::kOptimizer, [&] {
    state_.grad_norm =
        sharded_ ? sharded_->step(state_.lr) : optimizer_->step(state_.moments, state_.lr);
  });
}

void Trainer::share_state(Communicator& communicator, bool shard_moments) {
  base::require(shard_moments || !(sharded_ || planned_.moments_sharded),
                "the moments are sharded on one process and not on another, or no longer");
  engine::Params& params = *state_.params;
  for (std::size_t i = 0; i < params.list().size(); ++i)
    communicator.broadcast(std::as_writable_bytes(
        std::span(params.value(static_cast<int>(i)),
                  static_cast<std::size_t>(params.list()[i].shape.numel()))));
  Moments& m = state_.moments;
  communicator.broadcast(std::as_writable_bytes(std::span(&m.updates, 1)));
  std::optional<Cuts> cuts;
  if (shard_moments) cuts.emplace(optimizer_->chunk_places());
  reducer_ = std::make_unique<GradientReducer>(params, planned_.settings.shards, &communicator,
                                               std::move(cuts));
  if (!shard_moments) return communicator.broadcast({m.values.data(), m.values.size()});
  sharded_.emplace(params, *optimizer_, *reducer_, communicator);
  sharded_->scatter(m);
  m = {};
}

void Trainer::lead(Communicator& communicator, bool shard_moments) {
  send_command(communicator, {RankCommand::Kind::kState, shard_moments ? std::uint64_t{1} : 0});
  share_state(communicator, shard_moments);
  led_ = &communicator;
}

void Trainer::gather_moments() {
  if (!sharded_) return;
  if (led_ != nullptr) {
    state_.moments = Moments(*state_.params);  // may throw, so before the others wait
    send_command(*led_, {RankCommand::Kind::kMoments});
  }
  sharded_->gather(state_.moments);
}

void Trainer::drop_moments() {
  if (sharded_) state_.moments = {};
}

void Trainer::gather_gradients() {
  if (!sharded_) return;
  if (led_ != nullptr) send_command(*led_, {RankCommand::Kind::kWhole});
  reducer_->all_gather(state_.params->gradients());
}

void Trainer::follow(Communicator& communicator) {
  for (;;) {
    const RankCommand command = receive_command(communicator);
    switch (command.kind) {
      case RankCommand::Kind::kState:
        share_state(communicator, command.index != 0);
        break;
      case RankCommand::Kind::kGradients:
        gradients(command.index, command.progress);
        break;
      case RankCommand::Kind::kUpdate:
        update(command.progress);
        break;
      case RankCommand::Kind::kMoments:
        gather_moments();
        break;
      case RankCommand::Kind::kWhole:
        gather_gradients();
        break;
      default:
        return;
    }
  }
}

double Trainer::step(std::uint64_t index, double progress) {
  const double loss = gradients(index, progress);
  update(progress);
  return loss;
}

double Trainer::advance() {
  TrainState& s = state_;
  const base::Stopwatch start;
  const auto index = static_cast<std::uint64_t>(s.step);
  double loss = 0;
  if (total_steps() > 0) {
    // The middle of the step, so that neither the first nor the last update is wasted on a rate of
    // 0.
    loss = step(index, (static_cast<double>(s.step) + 0.5) / static_cast<double>(total_steps()));
  } else {
    // How long a step takes shows when its gradients are there: by then the first one's update has
    // a learning rate above 0.
    loss = gradients(index, planned_.budget.fraction_spent(s.spent));
    Spent now = s.spent;
    now.seconds += start.seconds();
    update(planned_.budget.fraction_spent(now));
  }
  s.losses.push_back(static_cast<float>(loss));
  s.grad_norms.push_back(static_cast<float>(s.grad_norm));
  ++s.step;
  s.spent = planned_.spent(s.step, s.spent.seconds + start.seconds());
  s.loss_sum += loss;
  ++s.loss_count;
  return loss;
}

double Trainer::fraction() const {
  if (total_steps() > 0)
    return static_cast<double>(state_.step) / static_cast<double>(total_steps());
  return planned_.budget.fraction_spent(state_.spent);
}

bool Trainer::finished() const {
  const std::int64_t patience = planned_.settings.patience;
  return fraction() >= 1 || (patience > 0 && state_.worse >= patience);
}

const Exam& Trainer::exam(Split split) const {
  return split == Split::kVal    ? *planned_.val
         : split == Split::kTest ? *planned_.test
                                 : *planned_.train_subset;
}

Examined Trainer::evaluate(Split split) {
  return planned_.evaluator->examine(exam(split), state_.progress);
}

std::uint64_t evaluation_masks(const Settings& settings) {
  constexpr std::uint64_t kStream = 0x65766C6D61736B73U;
  return mask_seed(settings) ^ kStream;
}

Predictions Trainer::predict(Split split, Keep keep) {
  return planned_.predictor->predict(exam(split), planned_.evaluation.passes,
                                     evaluation_masks(planned_.settings), state_.progress, keep);
}

Examined Trainer::examine(Split split) {
  return planned_.evaluation.sampled() ? predict(split, Keep::kLosses).examined : evaluate(split);
}

void Trainer::keep_weights() {
  std::vector<float>& kept = state_.best_weights;
  kept.clear();
  const engine::Params& params = *state_.params;
  for (std::size_t i = 0; i < params.list().size(); ++i) {
    const float* values = params.value(static_cast<int>(i));
    kept.insert(kept.end(), values, values + params.list()[i].shape.numel());
  }
}

void Trainer::restore_weights() {
  const engine::Params& params = *state_.params;
  auto from = state_.best_weights.begin();
  for (std::size_t i = 0; i < params.list().size(); ++i) {
    const auto n = static_cast<std::ptrdiff_t>(params.list()[i].shape.numel());
    std::copy(from, from + n, params.value(static_cast<int>(i)));
    from += n;
  }
}

Spent Trainer::recalibrate() {
  if (!planned_.recalibration) return {};
  const base::Stopwatch start;
  planned_.recalibration->run(*planned_.feed, state_.progress);
  const models::GptConfig& c = planned_.config;
  const double tokens = static_cast<double>(planned_.recalibration->rows() * c.block_size);
  // A forward pass is a third of a step's (2N + 4LCT of 6N + 12LCT), and there is one.
  const double flops = tokens * models::flops_per_token(c) / (3.0 * passes(c.regularizers));
  return {Recalibration::kBatches, tokens, flops, start.seconds(),
          tokens / planned_.tokens_per_epoch};
}

}  // namespace train
