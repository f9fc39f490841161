// What the shards of a batch leave behind becomes that of the whole batch, between backward and the
// optimizer.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/params.h"
#include "train/distributed/background_sum.h"

namespace train {

/// Sums gradients and losses of S shards in the binary tree ((g0 + g1) + (g2 + g3)) + …, whoever
/// makes which of them: the same bits on 1, 2, 4, … processes. The norms' running statistics are
/// moved by each shard from where the step found them, and their mean (by the same tree) is kept.
/// One shard in one process costs nothing and changes nothing.
class ShardSum {
 public:
  /// Bytes of gradients from which on a part of them is worth messages of its own.
  static constexpr std::size_t kBucket = std::size_t{1} << 20;

  ShardSum() = default;
  /// REQUIRES: `params` are allocated; S is a power of two, and `ranks` (null: this process is
  /// alone) are a power of two that divides S and outlive this.
  /// `cuts`: each rank gets the gradients' sum of its parts() alone; nothing: all of it.
  ShardSum(const engine::Params& params, std::int64_t shards, Ranks* ranks,
           std::optional<Cuts> cuts = {});
  /// What one process allocates at most, that which is alone.
  static std::size_t bytes(const engine::Params& params, std::int64_t shards);

  /// The shards of this process: [first(), first() + count()).
  std::int64_t first() const { return first_; }
  std::int64_t count() const { return count_; }
  /// Before a step: keeps the statistics as it finds them.
  void keep(const engine::Params& params);
  /// Before each of its shards.
  void begin(const engine::Params& params);
  /// Whether complete() is of use in the backward pass that ends the shard which begin() began.
  bool overlaps() const { return overlap_ && done_ + 1 == count_; }
  /// In that pass, where overlaps(): the gradient of `param` is what it will be, and may be summed
  /// over ranks while the pass goes on. Of any parameters. Throws RankLost.
  void complete(const engine::Params& params, int param);
  /// After it, in their order: takes its gradients, statistics and loss.
  void add(const engine::Params& params, double loss);
  /// After the last: the whole batch's are in `params`. Returns the sum of the losses. Throws
  /// RankLost.
  double whole(const engine::Params& params);
  /// The gradients of which whole() leaves a rank with the sum. REQUIRES, as gather(): cuts.
  std::vector<Part> parts(int rank) const;
  /// Of `values`, as many as gradients, each rank's parts() become everybody's. Throws RankLost.
  void gather(std::span<float> values);
  /// For what else is to be summed. REQUIRES: there are ranks.
  TreeSum& tree() { return over_ranks_->tree(); }
  /// After keep(), of a step that is not finished: the statistics are as it found them.
  void undo(const engine::Params& params);

 private:
  // Sums of 1, 2, 4, … shards that wait for their neighbour, as the digits of a binary counter.
  struct Level {
    engine::Buffer values;  // gradients, then statistics
    double loss = 0;
  };

  void join(const engine::Params& params, const Buckets::Range& range) const;

  std::int64_t shards_ = 1, first_ = 0, count_ = 1, done_ = 0;
  double loss_ = 0;
  std::vector<Level> levels_;
  engine::Buffer before_;  // the statistics that a step found
  Buckets buckets_;
  bool overlap_ = false;
  Ranks* ranks_ = nullptr;
  std::optional<Cuts> cuts_;
  std::unique_ptr<BackgroundSum> over_ranks_;
};

}  // namespace train
