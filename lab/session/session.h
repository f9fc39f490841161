// A study from its question to its report: tune, freeze the choice, run, judge.
//
//   Session session(study, {.store = "out/runs"}, observer);
//   session.tune();                     // makes the tuning's runs and writes the choice down
//   session.run();                      // makes the judged runs
//   Judged judged = session.report();   // step times, verdicts, report.json
//
// Each step does nothing if its result is already there, so a stopped session continues where it
// was.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lab/session/observer.h"
#include "lab/study/dry_run.h"
#include "lab/study/folder.h"
#include "lab/study/tuning.h"

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

/// A run could not be made, and the next step needs it. The message has the first failure.
class RunsMissing : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// Throws RunsMissing if a run of `runs` has failed: "WHAT could not be made; …".
void require_made(const StudyRuns& runs, std::string_view what);

/// Budgets of the missing runs of a study.
double budgets_missing(const StudyRuns& runs);

/// The jobs that were asked for, or the fastest number. `speedup`: measure what given jobs gain,
/// which an estimate of the time needs. Throws Interrupted.
Jobs planned_jobs(const StudyRuns& runs, const SessionOptions& options, bool speedup = false);

/// Makes the missing runs. `changed` is called after each. Throws Interrupted.
/// REQUIRES: runs.check() has passed.
void make_runs(StudyRuns& runs, const SessionOptions& options, std::string_view phase,
               Workload& work, Observer& observer, const std::function<void()>& changed);

/// The report, and the same as report.json has it.
struct Judged {
  Report report;
  Json json;
};

class Session {
 public:
  /// Loads the data and looks at what is done; writes nothing. `observer` outlives the session.
  /// Throws base::Error.
  Session(Study study, SessionOptions options, Observer& observer);

  /// Remarks on the arms' settings: "ARM: REMARK".
  std::vector<std::string> notes() const;
  /// What the missing runs take. Throws Interrupted.
  DryRun plan() const;

  /// Whether the tuning still has to choose; its runs then come before the judged ones.
  bool tuning() const { return tuning_ && !tuning_->done(); }
  /// The runs that come next: those of the tuning, or the judged ones.
  const StudyRuns& next() const { return tuning() ? tuning_->runs() : runs_; }
  const StudyRuns& judged() const { return runs_; }
  /// Null once the choice is written down.
  const GridSearch* search() const { return tuning_ ? &*tuning_ : nullptr; }
  const StudyFolder& folder() const { return folder_; }
  const SessionOptions& options() const { return options_; }

  /// Writes the choice to tuning.json if the tuning's runs are all there; otherwise does nothing.
  void choose();
  /// Makes the runs of the tuning, until it has chosen, and writes the choice down.
  /// Throws RunsMissing, Interrupted and base::Error.
  void tune();
  /// Looks for the next() runs again, which others were to make, and chooses if the tuning's are
  /// all there. Throws base::Error if none has come.
  void look_again();
  /// Makes the judged runs. A run that fails is left out of the report. Throws Interrupted.
  /// REQUIRES: !tuning().
  void run();
  /// Measures step times once, judges, and writes report.json. Throws RunsMissing if no run at all
  /// could be made. REQUIRES: !tuning() and no run is missing.
  Judged report();

 private:
  void use(StudyRuns runs);
  void freeze();
  void prepare();
  Speeds step_times();

  SessionOptions options_;
  Observer& observer_;
  StudyRuns runs_;
  StudyFolder folder_;
  std::optional<GridSearch> tuning_;
  Workload work_;
  bool prepared_ = false;
};

}  // namespace lab
