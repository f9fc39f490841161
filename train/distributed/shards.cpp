#include "train/distributed/shards.h"

#include <algorithm>
#include <bit>

#include "base/parallel.h"

namespace train {
namespace {

std::size_t tree_levels(std::int64_t shards) {
  return static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(shards)));
}

}  // namespace

ShardSum::ShardSum(const engine::Params& params, std::int64_t shards, Ranks* ranks,
                   std::optional<Cuts> cuts)
    : shards_(shards), count_(shards), ranks_(ranks), cuts_(std::move(cuts)) {
  const std::size_t gradients = params.gradients().size_bytes(),
                    state = params.state().size_bytes();
  if (ranks != nullptr) {
    count_ = shards / ranks->size();
    first_ = count_ * ranks->rank();
    over_ranks_ = std::make_unique<BackgroundSum>(
        *ranks, [cut = cuts_, all = params.gradients()](TreeSum& sum, std::span<float> range) {
          if (!cut) return sum(range);
          const auto begin = static_cast<std::size_t>(range.data() - all.data());
          sum.scatter(all, {begin, begin + range.size()}, *cut);
        });
  }
  buckets_ = Buckets(params, ranks != nullptr && ranks->any_thread() ? kBucket : 0);
  overlap_ = buckets_.list().size() > 1;
  levels_.resize(tree_levels(count_));
  for (Level& level : levels_) level.values = engine::Buffer(gradients + state);
  if (shards > 1) before_ = engine::Buffer(state);
}

std::size_t ShardSum::bytes(const engine::Params& params, std::int64_t shards) {
  const std::size_t gradients = params.trainable_bytes();
  const std::size_t state = params.bytes() - 2 * gradients;
  return tree_levels(shards) * (gradients + state) + (shards > 1 ? state : 0);
}

void ShardSum::keep(const engine::Params& params) {
  done_ = 0;
  buckets_.begin();
  if (before_.size() == 0) return;
  const std::span<float> state = params.state();
  std::copy(state.begin(), state.end(), before_.as<float>());
}

void ShardSum::begin(const engine::Params& params) {
  if (done_ > 0) undo(params);
}

void ShardSum::undo(const engine::Params& params) {
  if (before_.size() == 0) return;
  const std::span<float> state = params.state();
  std::copy_n(before_.as<float>(), state.size(), state.begin());
}

/// What waits for its neighbour in these gradients is added to them.
void ShardSum::join(const engine::Params& params, const Buckets::Range& range) const {
  float* gradients = params.gradients().data() + range.begin;
  for (std::size_t digit = 0; (done_ >> digit & 1) != 0; ++digit) {
    const float* other = levels_[digit].values.as<float>() + range.begin;
    base::parallel_elements(static_cast<std::int64_t>(range.end - range.begin),
                            [=](std::int64_t i) { gradients[i] += other[i]; });
  }
}

void ShardSum::complete(const engine::Params& params, int param) {
  const Buckets::Range* range = buckets_.complete(param);
  if (range == nullptr) return;
  join(params, *range);
  over_ranks_->give(params.gradients().subspan(range->begin, range->size()));
}

void ShardSum::add(const engine::Params& params, double loss) {
  loss_ = loss;
  const std::span<float> gradients = params.gradients(), state = params.state();
  for (const Buckets::Range& range : buckets_.list())
    if (!range.complete) join(params, range);
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

std::vector<Part> ShardSum::parts(int rank) const {
  std::vector<Part> parts;
  for (const Buckets::Range& range : buckets_.list())
    parts.push_back(part_of(range, rank, ranks_->size(), *cuts_));
  return parts;
}

void ShardSum::gather(std::span<float> values) {
  for (const Buckets::Range& range : buckets_.list()) tree().gather(values, range, *cuts_);
}

double ShardSum::whole(const engine::Params& params) {
  const std::span<float> state = params.state();
  if (over_ranks_) {
    over_ranks_->finish();
    TreeSum& sum = over_ranks_->tree();
    sum(std::span(&loss_, 1));
    for (const Buckets::Range& range : buckets_.list())
      if (!range.complete) over_ranks_->take(params.gradients().subspan(range.begin, range.size()));
    if (!state.empty()) sum(state);
  }
  if (shards_ > 1) {
    const float share = 1.0F / static_cast<float>(shards_);  // exact
    base::parallel_elements(std::ssize(state), [&](std::int64_t i) { state[i] *= share; });
  }
  return loss_;
}

}  // namespace train
