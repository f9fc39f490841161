// `isodrop train` as several processes that mpirun started: the first one leads, the others follow.
#pragma once
#include <memory>

#include "cli/stop_signals.h"
#include "train/distributed/mpi_ranks.h"
#include "train/trainer.h"

namespace cli {

/// The other processes of a run, seen from the first one; none where it is alone. It alone reads
/// the command line, decides, evaluates and writes.
class Followers {
 public:
  Followers() = default;
  /// Lets them end, where they still can.
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  /// Joins those that were started with this process, if any, and takes this one's part of the
  /// host's cores unless the settings name a number of threads. Throws base::Error where they
  /// cannot share a run of these settings.
  /// `shard_moments`: as Trainer::lead().
  void join(const train::Settings& settings, bool shard_moments, const StopSignals& signals);
  /// From now on they make their part of every step. Throws base::Error where their memory on
  /// this host is short.
  void lead(train::Trainer& trainer, const train::Task& task);

 private:
  std::unique_ptr<train::Ranks> ranks_;
  bool shard_moments_ = false, leading_ = false;
  int exceptions_ = 0;  // under way when this began to lead
};

/// All that the others do. Exit code.
int follow_train(const train::Launch& launch);

}  // namespace cli
