// A communicator over MPI, if it is built in; mpi_communicator.cpp is the only file that includes
// mpi.h.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "train/distributed/communicator.h"

namespace train {

/// This process among those that mpirun or mpiexec started, from its environment: needs no MPI.
struct Launch {
  std::int64_t rank = 0, size = 1;
};
/// Throws base::Error if the environment is not one that a launcher makes.
Launch launched();

/// "Open MPI 4.1.4"; empty: built without.
std::string mpi_version();

/// Connects the processes that were started together. The communicator's end ends MPI, unless a
/// process was lost. While it waits for the others it asks `stop`: `patience` seconds after that is
/// true it throws RankLost. Throws base::Error if MPI is not built in or disagrees with `launch`.
/// Call it once, from the thread that uses it most.
///
/// For measuring (docs/scale.md): the environment's ISODROP_SLOW_LINK=MICROSECONDS,MB_PER_SECOND
/// makes every message take longer; with ISODROP_OVERLAP=0 at any rank no rank reduces in the
/// background.
std::unique_ptr<Communicator> connect_ranks(const Launch& launch, std::function<bool()> stop,
                                            double patience);

}  // namespace train
