// How many runs of a study are made at once.
//
// Small models do not fill many cores: their loops are short and the threads mostly wait for each
// other, so several runs at once, each on its share of the threads, finish sooner. How much sooner
// depends on the model, the batch and the machine, so it is measured, by the command that makes
// runs.
#pragma once
#include <cstdint>
#include <string>

#include "lab/study/study_runs.h"

namespace lab {

struct Jobs {
  std::int64_t count = 1;    // runs at once
  std::int64_t threads = 1;  // of all of them together
  double speedup = 1;        // steps per second over those of one on all threads, if measured
  std::string note;          // what was chosen and why; empty where there was nothing to choose
};

/// As many as somebody asked for. Throws base::Error unless `count` is in [1, threads], and for
/// more than one with a budget in seconds, which needs the machine to itself.
Jobs given_jobs(std::int64_t count, const train::Settings& settings);

/// Takes what finishes the missing runs first: tries the first of them, a few steps of it in one
/// process with all threads, then in two with half of them, and so on, within about two seconds and
/// the available memory. Measures nothing where that cannot pay. `program`: isodrop.
/// Throws Interrupted.
Jobs measured_jobs(const StudyRuns& runs, const std::string& program);

/// The speedup of `jobs`, measured in the same way; 1 where that takes too long or no two runs are
/// missing.
double measured_speedup(const StudyRuns& runs, const Jobs& jobs, const std::string& program);

}  // namespace lab
