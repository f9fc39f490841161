#include "train/distributed/gradient_reducer.h"

#include <algorithm>
#include <bit>

#include "base/parallel.h"

namespace train {
namespace {

std::size_t tree_levels(std::int64_t shards) {
  return static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(shards)));
}

}  // namespace

Buckets::Buckets(const engine::Params& params, std::size_t bytes)
    : bucket_(params.list().size(), 0) {
  const auto& list = params.list();
  const std::size_t end = params.gradients().size();
  list_.push_back({{end, end}});
  size_.push_back(0);
  for (std::size_t i = list.size(); i-- > 0;) {
    if (!list[i].trainable) continue;
    // What is left in front of a bucket must fill one, or belongs to it.
    const std::size_t begin = list_.back().begin;
    if (bytes > 0 && std::min(list_.back().size(), begin) * sizeof(float) >= bytes) {
      list_.push_back({{begin, begin}});
      size_.push_back(0);
    }
    list_.back().begin = list[i].offset;
    bucket_[i] = list_.size() - 1;
    ++size_.back();
  }
  missing_ = size_;
}

void Buckets::begin() {
  missing_ = size_;
  for (Bucket& bucket : list_) bucket.complete = false;
}

const Buckets::Bucket* Buckets::complete(int param) {
  const std::size_t i = bucket_[static_cast<std::size_t>(param)];
  if (--missing_[i] > 0) return nullptr;
  list_[i].complete = true;
  return &list_[i];
}

GradientReducer::GradientReducer(const engine::Params& params, std::int64_t shards,
                                 Communicator* communicator, std::optional<Cuts> cuts)
    : params_(&params),
      communicator_(communicator),
      cuts_(std::move(cuts)),
      shards_(shards),
      count_(shards) {
  if (communicator != nullptr) {
    count_ = shards / communicator->size();
    first_ = count_ * communicator->rank();
    background_.emplace(*communicator, [this](GradientRange range) { reduce(range); });
  }
  buckets_ = Buckets(params, communicator != nullptr && communicator->any_thread() ? kBucket : 0);
  const std::size_t state = params.state().size_bytes();
  levels_.resize(tree_levels(count_));
  for (Level& level : levels_)
    level.values = engine::Buffer(params.gradients().size_bytes() + state);
  if (shards > 1) before_ = engine::Buffer(state);
}

std::size_t GradientReducer::bytes(const engine::Params& params, std::int64_t shards) {
  const std::size_t gradients = params.trainable_bytes();
  const std::size_t state = params.bytes() - 2 * gradients;
  return tree_levels(shards) * (gradients + state) + (shards > 1 ? state : 0);
}

void GradientReducer::begin_step() {
  done_ = 0;
  buckets_.begin();
  const std::span<float> state = params_->state();
  if (before_.size() > 0) std::copy(state.begin(), state.end(), before_.as<float>());
}

void GradientReducer::begin_shard() {
  if (done_ > 0) undo();
}

void GradientReducer::undo() {
  const std::span<float> state = params_->state();
  if (before_.size() > 0) std::copy_n(before_.as<float>(), state.size(), state.begin());
}

/// Adds what waits for its neighbour in these gradients to them.
void GradientReducer::join(GradientRange range) const {
  float* gradients = params_->gradients().data() + range.begin;
  for (std::size_t digit = 0; (done_ >> digit & 1) != 0; ++digit) {
    const float* other = levels_[digit].values.as<float>() + range.begin;
    base::parallel_elements(static_cast<std::int64_t>(range.size()),
                            [=](std::int64_t i) { gradients[i] += other[i]; });
  }
}

void GradientReducer::reduce(GradientRange range) {
  const std::span<float> all = params_->gradients();
  if (cuts_) return communicator_->reduce_scatter(all, range, *cuts_);
  communicator_->all_reduce(all.subspan(range.begin, range.size()));
}

void GradientReducer::ready(int param) {
  const GradientRange* range = buckets_.complete(param);
  if (range == nullptr) return;
  join(*range);
  background_->push(*range);
}

void GradientReducer::add(double loss) {
  loss_ = loss;
  const std::span<float> gradients = params_->gradients(), state = params_->state();
  for (const Buckets::Bucket& bucket : buckets_.list())
    if (!bucket.complete) join(bucket);
  std::size_t digit = 0;
  for (; (done_ >> digit & 1) != 0; ++digit) {
    const float* other = levels_[digit].values.as<float>();
    base::parallel_elements(std::ssize(state),
                            [&](std::int64_t i) { state[i] += other[gradients.size() + i]; });
    loss_ += levels_[digit].loss;
  }
  if (++done_ == count_) return;
  Level& level = levels_[digit];
  float* to = level.values.as<float>();
  base::parallel_elements(std::ssize(gradients), [&](std::int64_t i) { to[i] = gradients[i]; });
  base::parallel_elements(std::ssize(state),
                          [&](std::int64_t i) { to[gradients.size() + i] = state[i]; });
  level.loss = loss_;
}

double GradientReducer::finalize() {
  const std::span<float> state = params_->state();
  if (background_) {
    background_->finish();
    communicator_->all_reduce(std::span(&loss_, 1));
    for (const Buckets::Bucket& bucket : buckets_.list())
      if (!bucket.complete) reduce(bucket);
    if (!state.empty()) communicator_->all_reduce(state);
  }
  if (shards_ > 1) {
    const float share = 1.0F / static_cast<float>(shards_);  // exact
    base::parallel_elements(std::ssize(state), [&](std::int64_t i) { state[i] *= share; });
  }
  return loss_;
}

std::vector<GradientRange> GradientReducer::owned(int rank) const {
  std::vector<GradientRange> out;
  for (const GradientRange& range : buckets_.list())
    out.push_back(Communicator::owned_range(range, rank, communicator_->size(), *cuts_));
  return out;
}

void GradientReducer::all_gather(std::span<float> values) {
  for (const GradientRange& range : buckets_.list())
    communicator_->all_gather(values, range, *cuts_);
}

ShardedAdamW::ShardedAdamW(engine::Params& params, AdamW& optimizer, GradientReducer& reducer,
                           Communicator& communicator)
    : params_(&params), optimizer_(&optimizer), reducer_(&reducer), communicator_(&communicator) {
  for (int rank = 0; rank < communicator.size(); ++rank) parts_.push_back(reducer.owned(rank));
  const std::vector<GradientRange>& own = parts_[static_cast<std::size_t>(communicator.rank())];
  std::size_t floats = 0;
  for (const GradientRange& part : own) floats += part.size();
  mine_ = Moments(floats);
  optimizer.take(own);
}

/// Between rank 0's moments and each rank's parts, first and second ones, in one order on all
/// ranks. Pairs at one distance exchange at the same time, but one of each pair sends nothing.
void ShardedAdamW::move(Moments& all, bool scatter) {
  const int here = communicator_->rank();
  for (int rank = 0; rank < communicator_->size(); ++rank)
    for (const bool second : {false, true}) {
      float *whole = second ? all.second() : all.first(),
            *own = second ? mine_.second() : mine_.first();
      for (const GradientRange& part : parts_[static_cast<std::size_t>(rank)]) {
        std::span<float> from, to;  // empty: on another rank
        if (here == 0) from = {whole + part.begin, part.size()};
        if (here == rank) to = {own, part.size()}, own += part.size();
        if (!scatter) std::swap(from, to);
        if (rank == 0)
          std::copy(from.begin(), from.end(), to.begin());
        else
          communicator_->exchange(here ^ rank, std::as_bytes(from), std::as_writable_bytes(to));
      }
    }
}

void ShardedAdamW::scatter(Moments& all) {
  move(all, true);
  mine_.updates = all.updates;
}

void ShardedAdamW::gather(Moments& all) {
  move(all, false);
  all.updates = mine_.updates;
}

double ShardedAdamW::step(double lr) {
  communicator_->all_reduce(optimizer_->squares());  // of each chunk one rank has more than 0
  const double norm = optimizer_->update(mine_, lr);
  reducer_->all_gather(params_->weights());
  return norm;
}

}  // namespace train
