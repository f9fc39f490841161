// Sums over ranks while the caller goes on computing: what is sent, and by whom.
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "engine/params.h"
#include "train/distributed/ranks.h"

namespace train {

/// Gradients in ranges of whole parameters, from the last to the first, as backward completes them:
/// which range is complete, when its parameters become so one by one.
class Buckets {
 public:
  struct Range : Part {
    bool complete = false;
  };

  Buckets() = default;
  /// Of `bytes` or more each, but that there is always one; 0: all in one.
  /// REQUIRES: `params` are allocated.
  Buckets(const engine::Params& params, std::size_t bytes);

  /// Before a backward pass: none is complete.
  void begin();
  /// A parameter is. Returns the range that is complete with it; null: none. Once for each.
  const Range* complete(int param);
  /// They cover all gradients, the gaps between parameters too.
  const std::vector<Range>& list() const { return list_; }

 private:
  std::vector<Range> list_;
  std::vector<std::size_t> bucket_;  // per parameter
  std::vector<int> size_, missing_;  // per bucket, in parameters
};

/// Sums of ranges one after the other in the order in which they are given, on a thread that
/// starts with the first of them and ends with this. It takes signals from nobody, and has one core
/// at most. REQUIRES: all ranks give ranges of the same lengths in the same order; the caller makes
/// no calls of `ranks`, which outlive this, between give() and finish().
class BackgroundSum {
 public:
  /// What becomes of a range.
  using Sum = std::function<void(TreeSum&, std::span<float>)>;

  BackgroundSum(Ranks& ranks, Sum sum) : ranks_(&ranks), tree_(ranks), sum_(std::move(sum)) {}
  /// Leaves undone what has not begun.
  ~BackgroundSum();
  BackgroundSum(const BackgroundSum&) = delete;
  BackgroundSum& operator=(const BackgroundSum&) = delete;

  /// From now on `range` belongs to this, until finish(). Throws what was thrown (RankLost).
  void give(std::span<float> range);
  /// All is summed when it returns: what the thread has not begun, by the caller. Throws likewise;
  /// then nothing is under way, and what was given may be half summed.
  void finish();
  /// At once, by the caller, likewise.
  void take(std::span<float> range) { sum_(tree_, range); }
  /// For the caller's own sums. REQUIRES, as take(): finish() was called after the last give().
  TreeSum& tree() { return tree_; }

 private:
  void start();
  void work();
  void rethrow();

  Ranks* ranks_;
  TreeSum tree_;
  Sum sum_;
  std::mutex mutex_;  // of all below but the thread
  std::condition_variable given_, rests_;
  std::deque<std::span<float>> waiting_;
  bool summing_ = false, end_ = false;
  std::exception_ptr thrown_;
  std::thread thread_;
};

}  // namespace train
