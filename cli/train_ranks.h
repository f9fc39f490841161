// `isodrop train` as several processes that mpirun started: the first one leads, the others follow.
#pragma once
#include <memory>

#include "cli/stop_signals.h"
#include "train/distributed/mpi_communicator.h"
#include "train/trainer.h"

namespace cli {

/// The other processes of a run, seen from the first one, which alone reads the command line,
/// decides, evaluates and writes. None if the run is one process.
class Followers {
 public:
  Followers() = default;
  /// Tells them to end, if they are still there.
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  /// Connects to those that were started with this process, if any, and uses this one's share of
  /// the host's cores unless the settings name a number of threads. Throws base::Error if they
  /// cannot share a run of these settings. `shard_moments`: as Trainer::lead().
  void join(const train::Settings& settings, bool shard_moments, const StopSignals& signals);
  /// From now on they make their part of every step. Throws base::Error if this host has too little
  /// memory for them.
  void lead(train::Trainer& trainer, const train::Task& task);

 private:
  std::unique_ptr<train::Communicator> communicator_;
  bool shard_moments_ = false, leading_ = false;
  int exceptions_ = 0;  // under way when this began to lead
};

/// All that the others do. Exit code.
int follow_train(const train::Launch& launch);

}  // namespace cli
