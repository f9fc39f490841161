// The processes that share one run, each with its shards of every batch: how they reach each other
// and how they sum. mpi_communicator.h makes one over MPI.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "train/optim/optimizer.h"

namespace train {

/// Another process of the run is gone, or this one should stop and the others do not answer.
class RankLost : public base::Error {
 public:
  using base::Error::Error;
};

/// The only places at which a range may be cut, ascending.
using Cuts = std::vector<std::size_t>;

/// The middle of `all`, or the nearest cut or end. `cuts` null: anywhere.
std::size_t middle(GradientRange all, const Cuts* cuts);

/// One process (rank) among those of a run. Calls pair up: every rank makes the same ones in the
/// same order. All throw RankLost.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Processes of the run on this host.
  virtual int on_this_host() const { return size(); }
  /// Whether any thread may make calls, one at a time, and not only the one that made this. The
  /// same for all ranks.
  virtual bool any_thread() const { return true; }
  /// Sends `out` to `partner` and receives `in`, which is as long as what the partner sends.
  virtual void exchange(int partner, std::span<const std::byte> out, std::span<std::byte> in) = 0;
  /// All ranks get rank 0's bytes.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// From now on all calls throw, and this process ends without waiting for the others.
  virtual void leave() {}
  /// Whether calls by other threads than the one that made this may use a whole core, because that
  /// one waits for them. May be called during a call. False at first.
  void hurry(bool yes) { hurry_ = yes; }

  /// Every rank gets the sum over ranks, element by element, in the binary tree
  /// ((x0 + x1) + (x2 + x3)) + …: the same bits on all ranks. Large ones by recursive halving and
  /// doubling (Rabenseifner 2004): 2(R−1)/R of the bytes go through each rank's link.
  /// REQUIRES: size() is a power of two.
  void all_reduce(std::span<float> values) { sum(values); }
  void all_reduce(std::span<double> values) { sum(values); }
  /// The part of `all` that a rank has after reduce_scatter(): over all ranks, each float once.
  /// Which half is whose depends on where `all` begins, so that over many ranges no rank always
  /// gets the larger ones. REQUIRES: `size` is a power of two.
  static GradientRange owned_range(GradientRange all, int rank, int size, const Cuts& cuts);
  /// The first half of all_reduce(): each rank gets the sums in its owned_range() of `all`; the
  /// rest of the range is undefined.
  void reduce_scatter(std::span<float> values, GradientRange all, const Cuts& cuts);
  /// The second half: all ranks get each rank's owned_range() of `values`.
  void all_gather(std::span<float> values, GradientRange all, const Cuts& cuts);

 protected:
  /// The thread that made this is busy and is not the caller: wait asleep.
  bool in_background() const { return !hurry_ && std::this_thread::get_id() != made_by_; }

 private:
  static constexpr std::size_t kSegment = std::size_t{1} << 20;  // bytes received at once
  struct Halves;

  static std::vector<Halves> halvings(GradientRange all, int rank, int size, const Cuts* cuts);
  template <class T>
  void sum(std::span<T> values);
  template <class T>
  void add_from(int partner, std::span<const T> out, std::span<T> onto);
  template <class T>
  void scatter(std::span<T> values, const std::vector<Halves>& levels);
  template <class T>
  void gather(std::span<T> values, const std::vector<Halves>& levels);

  std::thread::id made_by_ = std::this_thread::get_id();
  std::atomic<bool> hurry_ = false;
  std::vector<std::byte> received_ = std::vector<std::byte>(kSegment);
};

/// Reduces ranges on a thread, in the order in which they are pushed. The thread starts with the
/// first, ends with this, handles no signals and uses one core. REQUIRES: all ranks push the same
/// ranges in the same order; the caller makes no calls of `communicator`, which outlives this,
/// between push() and finish().
class BackgroundReducer {
 public:
  using Reduce = std::function<void(GradientRange)>;

  BackgroundReducer(Communicator& communicator, Reduce reduce)
      : communicator_(&communicator), reduce_(std::move(reduce)) {}

  /// Until finish() the range belongs to this. Throws what an earlier reduction threw (RankLost).
  void push(GradientRange range);
  /// Returns when all is reduced; the caller does what the thread has not begun. Throws like
  /// push(); then nothing is under way, and what was pushed may be half reduced.
  void finish();

 private:
  void work(const std::stop_token& stop);
  void rethrow();

  Communicator* communicator_;
  Reduce reduce_;
  std::mutex mutex_;  // of all below but the thread
  std::condition_variable_any pushed_, idle_;
  std::deque<GradientRange> waiting_;
  bool reducing_ = false;
  std::exception_ptr thrown_;
  std::jthread thread_;  // last: joined before the rest goes
};

/// What rank 0 tells the others to do next.
struct RankCommand {
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
void send_command(Communicator& communicator, RankCommand command);
RankCommand receive_command(Communicator& communicator);

}  // namespace train
