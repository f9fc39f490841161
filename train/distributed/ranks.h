// The processes that share one run, each with its shards of every batch: how they reach each other,
// and how they sum. Nothing here knows MPI (mpi_ranks.cpp does).
#pragma once
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "train/optim/parts.h"

namespace train {

/// Another process of the run is gone, or this one is to stop and the others do not answer.
class RankLost : public base::Error {
 public:
  using base::Error::Error;
};

/// One process among those of a run, by its number (rank). Calls pair up: what one sends another
/// waits for. All throw RankLost.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Processes of the run on this host.
  virtual int on_this_host() const { return size(); }
  /// Calls may come from any thread, one at a time; otherwise from the one that made this. The same
  /// for all ranks.
  virtual bool any_thread() const { return true; }
  /// Sends `out` to `partner` while receiving `in`, as many bytes as it sends.
  virtual void exchange(int partner, std::span<const std::byte> out, std::span<std::byte> in) = 0;
  /// Rank 0's bytes become everybody's.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// From now on nothing is said, and this process ends without waiting for the others.
  virtual void leave() {}
  /// Whether calls under way and to come of other threads than the one that made this have the core
  /// to themselves, because that one waits for them. May be called during a call. Not at first.
  virtual void hurry(bool yes) { hurry_ = yes; }

 protected:
  /// The thread that made this, and is not the caller, has better use for the core: wait asleep.
  bool in_background() const { return !hurry_ && std::this_thread::get_id() != made_by_; }

 private:
  std::thread::id made_by_ = std::this_thread::get_id();
  std::atomic<bool> hurry_ = false;
};

/// Sums over ranks, element by element, in the binary tree ((x0 + x1) + (x2 + x3)) + …: every rank
/// gets the same bits, for any length. Large ones as reduce-scatter by recursive halving and
/// all-gather by recursive doubling (Rabenseifner 2004): 2(R−1)/R of the bytes go through each
/// rank's link. REQUIRES: a power of two of ranks.
class TreeSum {
 public:
  explicit TreeSum(Ranks& ranks) : ranks_(&ranks), received_(kSegment) {}
  void operator()(std::span<float> values) { sum(values); }
  void operator()(std::span<double> values) { sum(values); }
  /// The first half of it: part_of(all, …) of `gradients` is summed, the rest is nobody's.
  void scatter(std::span<float> gradients, Part all, const Cuts& cuts);
  /// The second: each rank's part_of(all, …) of `values`, which may be others, becomes everybody's.
  void gather(std::span<float> values, Part all, const Cuts& cuts);

 private:
  static constexpr std::size_t kSegment = std::size_t{1} << 20;  // bytes received at once
  static constexpr std::size_t kSmall = 4096;  // bytes from which on halving is worth its messages

  template <class T>
  void sum(std::span<T> values);
  template <class T>
  void add_from(int partner, std::span<const T> out, std::span<T> onto);
  template <class T>
  void scatter(std::span<T> values, const std::vector<Halves>& levels);
  template <class T>
  void gather(std::span<T> values, const std::vector<Halves>& levels);

  Ranks* ranks_;
  std::vector<std::byte> received_;
};

/// What rank 0 tells the others to do next.
struct Order {
  enum class Kind : std::uint64_t {
    kEnd,        // nothing more: the run has ended or stopped
    kBegin,      // a run: `index` bytes that describe it follow
    kState,      // parameters and moments follow; `index` 1: of the moments each rank's part
    kGradients,  // of step `index` at `progress`
    kUpdate,     // of the parameters at `progress`
    kMoments,    // rank 0 gets all parts of them
    kWhole       // all ranks get the whole batch's gradients
  } kind = Kind::kEnd;
  std::uint64_t index = 0;
  double progress = 0;
};
void tell(Ranks& ranks, Order order);
Order hear(Ranks& ranks);

/// A link that takes longer: `latency` seconds a message and 1/`bandwidth` s a byte in each
/// direction, on top of what it takes anyway. For measuring, docs/scale.md.
std::unique_ptr<Ranks> slowed(std::unique_ptr<Ranks> ranks, double latency, double bandwidth);

}  // namespace train
