// Ranks over MPI, where it is built in; mpi_ranks.cpp is the only file that sees mpi.h.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "train/distributed/ranks.h"

namespace train {

/// As which of how many processes mpirun or mpiexec started this one, by its environment: MPI need
/// not be there.
struct Launch {
  int rank = 0, size = 1;
};
/// Throws base::Error where the environment is none that a launcher makes.
Launch launched();

/// "Open MPI 4.1.4"; empty: built without.
std::string mpi_version();

/// Joins the processes that were started with this one; ends MPI with the last of it, unless one of
/// them was lost. While it waits for the others it asks `stop`: `patience` seconds after that
/// is true it throws RankLost instead of waiting on. Throws base::Error where MPI is not built
/// in, or does not know as many processes as `launch`. To be called once, from the thread that uses
/// it most. The environment's ISODROP_SLOW_LINK=MICROSECONDS,MEGABYTES_PER_SECOND puts slowed()
/// around it; with ISODROP_OVERLAP=0 at any rank none calls from another thread.
std::unique_ptr<Ranks> join_ranks(const Launch& launch, std::function<bool()> stop,
                                  double patience);

}  // namespace train
