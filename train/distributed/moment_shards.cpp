#include "train/distributed/moment_shards.h"

#include <algorithm>

namespace train {
namespace {

std::size_t size_of(const std::vector<Part>& parts) {
  std::size_t floats = 0;
  for (const Part& part : parts) floats += part.size();
  return floats;
}

}  // namespace

MomentShards::MomentShards(engine::Params& params, AdamW& optimizer, ShardSum& sum, Ranks& ranks)
    : params_(&params), optimizer_(&optimizer), sum_(&sum), ranks_(&ranks) {
  for (int rank = 0; rank < ranks.size(); ++rank) parts_.push_back(sum.parts(rank));
  const std::vector<Part>& own = parts_[static_cast<std::size_t>(ranks.rank())];
  mine_ = Moments(size_of(own));
  optimizer.take(own);
}

/// f(rank, its part of rank 0's, the same in its own), first moments and second ones, in one order
/// on all ranks; a span that is elsewhere is empty.
template <class F>
void MomentShards::each_part(Moments& all, const F& f) {
  const int here = ranks_->rank();
  for (int rank = 0; rank < ranks_->size(); ++rank)
    for (const bool second : {false, true}) {
      float *whole = second ? all.second() : all.first(),
            *own = second ? mine_.second() : mine_.first();
      for (const Part& part : parts_[static_cast<std::size_t>(rank)]) {
        const std::size_t n = part.size();
        f(rank, here == 0 ? std::span(whole + part.begin, n) : std::span<float>(),
          here == rank ? std::span(own, n) : std::span<float>());
        own += here == rank ? n : 0;
      }
    }
}

// Pairs at one distance exchange at the same time, but only rank 0's has something to say.
void MomentShards::deal(Moments& all) {
  each_part(all, [&](int rank, std::span<float> whole, std::span<float> own) {
    if (rank == 0)
      std::copy_n(whole.begin(), own.size(), own.begin());
    else
      ranks_->exchange(ranks_->rank() ^ rank, std::as_bytes(whole), std::as_writable_bytes(own));
  });
  mine_.updates = all.updates;
}

void MomentShards::collect(Moments& all) {
  each_part(all, [&](int rank, std::span<float> whole, std::span<float> own) {
    if (rank == 0)
      std::copy_n(own.begin(), own.size(), whole.begin());
    else
      ranks_->exchange(ranks_->rank() ^ rank, std::as_bytes(own), std::as_writable_bytes(whole));
  });
  all.updates = mine_.updates;
}

double MomentShards::step(double lr) {
  sum_->tree()(optimizer_->squares());  // of each chunk one rank has more than 0
  const double norm = optimizer_->update(mine_, lr);
  sum_->gather(params_->weights());
  return norm;
}

}  // namespace train
