// Makes the missing runs of a study and tells an observer how it goes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "lab/session/observer.h"
#include "lab/study/jobs.h"

namespace lab {

struct SessionOptions {
  std::filesystem::path store;
  std::filesystem::path out;         // the session's folder; empty: named after the study
  std::optional<std::int64_t> jobs;  // runs at once; not set: what a measurement finds fastest
  bool other_builds = false;         // runs from other builds count
  bool keep_weights = false;         // of the judged runs
};

/// Work of a whole session in budgets: a run counts with its share of the budget.
struct Workload {
  double total = 0, done = 0;
};

/// A run could not be made, and what comes next needs it. The message has the first failure.
class RunsMissing : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// Throws RunsMissing if a run of `runs` has failed: "WHAT is missing; …".
void require_made(const StudyRuns& runs, std::string_view what);

/// Budgets of the runs that are missing. `chosen` false: of all runs, since arms that are not tuned
/// yet may share runs that will differ later.
double budgets_of(const StudyRuns& runs, bool chosen = true);

/// The jobs that were asked for, or the fastest number. `speedup`: measure what given jobs gain,
/// which an estimate of the time needs. Throws Interrupted.
Jobs planned_jobs(const StudyRuns& runs, const SessionOptions& options, bool speedup = false);

/// Makes the missing runs. `changed` is called after each. Throws Interrupted.
/// REQUIRES: runs.check() has passed.
void make_runs(StudyRuns& runs, const SessionOptions& options, std::string_view phase,
               Workload& work, Observer& observer, const std::function<void()>& changed);

}  // namespace lab
