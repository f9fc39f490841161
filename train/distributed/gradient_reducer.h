// Between backward and the optimizer: the gradients of a batch's shards become those of the whole
// batch, in one process or over many, with the same bits.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/params.h"
#include "train/distributed/communicator.h"

namespace train {

/// Gradients in ranges of whole parameters, from the last to the first, as backward completes them.
class Buckets {
 public:
  struct Bucket : GradientRange {
    bool complete = false;
  };

  Buckets() = default;
  /// Each of `bytes` or more, and at least one; 0: all in one. REQUIRES: `params` are allocated.
  Buckets(const engine::Params& params, std::size_t bytes);

  /// Before a backward pass: none is complete.
  void begin();
  /// A parameter is. Returns the bucket that is complete with it; null: none. Once for each.
  const Bucket* complete(int param);
  /// They cover all gradients, the gaps between parameters too.
  const std::vector<Bucket>& list() const { return list_; }

 private:
  std::vector<Bucket> list_;
  std::vector<std::size_t> bucket_;  // per parameter
  std::vector<int> size_, missing_;  // per bucket, in parameters
};

/// Sums gradients and losses of S shards in the binary tree ((g0 + g1) + (g2 + g3)) + …, on 1, 2,
/// 4, … processes with the same bits. Each shard moves the norms' running statistics from where the
/// step found them; their mean (by the same tree) is kept. One shard in one process: the identity,
/// at no cost.
class GradientReducer {
 public:
  /// Bytes of gradients from which on a bucket is worth messages of its own.
  static constexpr std::size_t kBucket = std::size_t{1} << 20;

  /// REQUIRES: `params` are allocated; S is a power of two; the size of `communicator` (null: this
  /// process is alone) divides S; both outlive this.
  /// `cuts`: each rank gets the sum of its owned() gradients alone; nothing: of all.
  GradientReducer(const engine::Params& params, std::int64_t shards, Communicator* communicator,
                  std::optional<Cuts> cuts = {});
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;
  /// What it allocates at most: in one process.
  static std::size_t bytes(const engine::Params& params, std::int64_t shards);

  /// The shards of this process: [first(), first() + count()).
  std::int64_t first() const { return first_; }
  std::int64_t count() const { return count_; }
  void begin_step();
  /// Before each shard of this process.
  void begin_shard();
  /// Whether ready() is of use in the backward pass that ends this shard.
  bool overlaps() const { return buckets_.list().size() > 1 && done_ + 1 == count_; }
  /// In that pass: the gradient of `param` is final, and may be summed over ranks while the pass
  /// goes on. Throws RankLost.
  void ready(int param);
  /// After each shard, in order: takes its gradients, statistics and loss.
  void add(double loss);
  /// After the last: gradients and statistics are the whole batch's. Returns the sum of the losses.
  /// Throws RankLost.
  double finalize();
  /// After begin_step(), of a step that is not finished: the statistics are as it found them.
  void undo();

  /// The gradients that `rank` has after finalize(), by bucket. REQUIRES, as all_gather(): cuts.
  std::vector<GradientRange> owned(int rank) const;
  /// All ranks get each rank's owned() of `values`, as many as gradients. Throws RankLost.
  void all_gather(std::span<float> values);

 private:
  // Sums of 1, 2, 4, … shards that wait for their neighbour, as the digits of a binary counter.
  struct Level {
    engine::Buffer values;  // gradients, then statistics
    double loss = 0;
  };

  void join(GradientRange range) const;
  void reduce(GradientRange range);

  const engine::Params* params_;
  Communicator* communicator_;
  std::optional<Cuts> cuts_;
  std::int64_t shards_, first_ = 0, count_, done_ = 0;
  double loss_ = 0;
  std::vector<Level> levels_;
  engine::Buffer before_;  // the statistics that a step found
  Buckets buckets_;
  std::optional<BackgroundReducer> background_;
};

/// AdamW with its moments cut over the ranks (ZeRO stage 1, Rajbhandari et al. 2020, section 5.1):
/// each rank updates the weights whose moments it has, then all gather them. The bits are those of
/// one process. All throw RankLost; then the weights may be half updated, and the others' moments
/// are lost.
class ShardedAdamW {
 public:
  /// From now on the optimizer updates this rank's parts. REQUIRES: `reducer` has cuts at its
  /// chunks; all outlive this.
  ShardedAdamW(engine::Params& params, AdamW& optimizer, GradientReducer& reducer,
               Communicator& communicator);

  /// Each rank gets its parts of rank 0's moments; rank 0 gets all parts. REQUIRES: rank 0's
  /// moments are of all parameters; before scatter() all ranks have the same `updates`.
  void scatter(Moments& all);
  void gather(Moments& all);
  /// After GradientReducer::finalize(): as AdamW::step(), on every rank.
  double step(double lr);
  /// Length of this rank's first moments, and of its second ones.
  std::size_t floats() const { return mine_.floats; }

 private:
  void move(Moments& all, bool scatter);

  engine::Params* params_;
  AdamW* optimizer_;
  GradientReducer* reducer_;
  Communicator* communicator_;
  std::vector<std::vector<GradientRange>> parts_;  // by rank
  Moments mine_;                                   // of this rank's parts, one behind the other
};

}  // namespace train
