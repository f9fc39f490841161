// What a run or a comparison is going to take, before it is started: memory, FLOPs, time. Writes
// nothing, and trains at most a few steps on throw-away models, where they fit and are short.
#pragma once
#include <string>
#include <vector>

#include "lab/study/jobs.h"
#include "lab/study/study_runs.h"
#include "lab/study/tuning.h"

namespace lab {

struct RunEstimate {
  std::string name;
  std::int64_t parameters = 0;
  train::MemoryNeed memory;
  std::size_t checkpoint = 0;                                             // bytes of one on disk
  double tokens_per_step = 0, flops_per_step = 0, tokens = 0, flops = 0;  // of a step, of the run
  std::int64_t steps = 0;                                                 // 0: seconds
  double training_seconds = 0, evaluation_seconds = 0;
  std::size_t timed_steps = 0;  // 0: the time is from the machine's peak
  double seconds() const { return training_seconds + evaluation_seconds; }
};

struct DryRun {
  std::vector<RunEstimate> arms;  // one run of each, in every cell where it takes something else
  bool study = false;
  std::vector<std::pair<std::size_t, double>>
      missing;           // of a study: estimate and share of each run
  std::size_t done = 0;  // those that are done already
  Jobs jobs;
  double peak_gflops = 0;     // measured
  std::size_t available = 0;  // bytes of memory; 0: unknown

  /// The missing runs of an arm, in runs of the whole budget: those of other budgets count by their
  /// share.
  double runs(std::size_t arm) const;
  std::int64_t run_count() const;
  double flops() const;
  /// Until the last one is done, so many at once.
  double seconds() const;
  /// Peak of all processes: that of the runs made at once, or of the first arm and another one when
  /// they are timed (which is left out where two do not fit).
  double memory() const;
  bool fits() const;
};

/// Throws base::Error where the runs cannot be made for another reason than memory.
DryRun dry_run(const train::Settings& settings, const train::Task& task);
/// `tuning`: whose runs come first, their time taken from the arm's by the share of the budget;
/// null: nothing is tuned, or it is already.
DryRun dry_run(const StudyRuns& runs, const Jobs& jobs, const GridSearch* tuning = nullptr);

/// Throws base::Error that says what could be left out where a study would take longer than so
/// many seconds.
void require_in_time(const DryRun& plan, const Study& study, double seconds);

/// Throws the error that the real run would end with where memory is short.
void require_fits(const DryRun& plan);

}  // namespace lab
