// The optimizer's moments cut over the processes of a run (ZeRO stage 1, Rajbhandari et al. 2020,
// section 5.1): each keeps and updates its parts, then hands round the weights.
#pragma once
#include <span>
#include <vector>

#include "engine/params.h"
#include "train/distributed/shards.h"
#include "train/optim/optimizer.h"

namespace train {

/// Update by update the bits that a process makes alone. All throw RankLost; then the weights may
/// be half updated, and the others' moments are lost.
class MomentShards {
 public:
  /// The optimizer updates this rank's parts from now on. REQUIRES: `sum` has cuts at its chunks;
  /// all outlive this.
  MomentShards(engine::Params& params, AdamW& optimizer, ShardSum& sum, Ranks& ranks);

  /// Each rank gets its parts of rank 0's first and second moments. REQUIRES: all ranks' `updates`
  /// are the same; rank 0's moments are of all parameters.
  void deal(Moments& all);
  /// Rank 0 gets all parts, and everybody `updates`. REQUIRES: rank 0's moments are of all
  /// parameters.
  void collect(Moments& all);
  /// After ShardSum::whole(): as AdamW::step(), on every rank.
  double step(double lr);
  /// Floats of each of the two that this rank has.
  std::size_t floats() const { return mine_.floats; }

 private:
  template <class F>
  void each_part(Moments& all, const F& f);

  engine::Params* params_;
  AdamW* optimizer_;
  ShardSum* sum_;
  Ranks* ranks_;
  std::vector<std::vector<Part>> parts_;  // by rank
  Moments mine_;                          // of this rank's parts, one behind the other
};

}  // namespace train
