// The missing runs of a comparison, each in a process of its own, several at once.
#pragma once
#include "lab/study/comparison.h"
#include "lab/study/jobs.h"

namespace lab {

/// Makes them in order, `jobs.count` at a time. Results are the same bits for any number of jobs. A
/// run whose process fails, crashes or is killed is noted as failed, and the others go on.
/// Throws Interrupted when this process was asked to stop; the processes of the runs are gone then,
/// and what was done is kept.
/// REQUIRES: this process has one thread (see worker_pool.h).
void run_in_processes(Comparison& comparison, const Jobs& jobs, const ComparisonEvents& events);

}  // namespace lab
