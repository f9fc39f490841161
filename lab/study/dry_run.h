// What a run or a comparison will take: runs at once, memory, FLOPs, time. Writes nothing, and
// trains at most a few steps on throw-away models, if they fit and are short.
//
// Small models do not fill many cores: their loops are short and the threads mostly wait for each
// other, so several runs at once, each on its share of the threads, finish sooner. How much sooner
// depends on the model, the batch and the machine, so the command that makes runs measures it.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab/study/study_runs.h"
#include "lab/study/tuning.h"

namespace lab {

struct Jobs {
  std::int64_t count = 1;    // runs at once
  std::int64_t threads = 1;  // of all of them together
  double speedup = 1;        // steps per second over those of one on all threads, if measured
  std::string note;          // what was chosen and why; empty: nothing to choose
};

/// The number asked for. Throws base::Error unless `count` is in [1, threads], and for
/// more than one with a budget in seconds, which needs the machine to itself.
Jobs given_jobs(std::int64_t count, const train::Settings& settings);

/// The number that finishes the missing runs first. Tries a few steps of the first of them in one
/// process with all threads, then in two with half of them, and so on, within about two seconds and
/// the available memory. Measures nothing if that cannot pay. `program`: isodrop. Throws
/// Interrupted.
Jobs measured_jobs(const StudyRuns& runs, const std::string& program);

/// The speedup of `jobs`, measured in the same way; 1 if that takes too long or no two runs are
/// missing.
double measured_speedup(const StudyRuns& runs, const Jobs& jobs, const std::string& program);

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
  std::vector<RunEstimate> arms;  // one run of each, per cell whose runs take another time
  bool study = false;             // false: of a single run
  // Runs to make: estimate, and share of its budget.
  std::vector<std::pair<std::size_t, double>> missing;
  std::size_t done = 0;  // runs that are done already
  Jobs jobs;
  double peak_gflops = 0;     // measured
  std::size_t available = 0;  // bytes of memory; 0: unknown

  /// The missing runs of an arm, in whole budgets.
  double runs(std::size_t arm) const;
  std::int64_t run_count() const { return std::ssize(missing); }
  double flops() const;
  /// Until the last one is done, with `jobs` at once.
  double seconds() const;
  /// Peak of all processes: of the runs made at once, or of the first arm and another one while
  /// they are timed (which is left out if two do not fit).
  double memory() const;
  bool fits() const;
};

/// Throws base::Error if the runs cannot be made for another reason than memory.
DryRun dry_run(const train::Settings& settings, const train::Task& task);
/// `tuning`: its runs come first; their time is the arm's by the share of the budget. Null: nothing
/// is tuned, or the choice is made.
DryRun dry_run(const StudyRuns& runs, const Jobs& jobs, const GridSearch* tuning = nullptr);

/// Throws base::Error, which says what could be left out, if a study would take longer than
/// `seconds`.
void require_in_time(const DryRun& plan, const Study& study, double seconds);

/// Throws the error that the real run would end with if memory is short.
void require_fits(const DryRun& plan);

}  // namespace lab
