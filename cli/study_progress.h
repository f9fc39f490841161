// Making a study's runs with what is shown meanwhile: a line with a bar and the time left, the
// table so far, the page.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "base/stopwatch.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/report/report.h"
#include "lab/runs/processes.h"
#include "lab/study/jobs.h"

namespace cli {

/// As many as were asked for, with the speedup that a dry run wants, or what auto finds.
lab::Jobs planned_jobs(const lab::StudyRuns& runs, const StudyOptions& options);

/// How much there is to do, in whole budgets: what the time that is left is told from.
class Workload {
 public:
  explicit Workload(double total) : total_(total) {}
  void done(double budgets) { done_ += budgets; }
  /// "[████······]  43 % · 1:20 left", with so much of what is running.
  std::string text(double running) const;

 private:
  double total_, done_ = 0;
  base::Stopwatch watch_;
};

/// Budgets of the missing runs together; of all before what they are is `chosen`.
double budgets_of(const lab::StudyRuns& runs, bool chosen = true);

/// Makes the missing runs, which the caller has checked. `what`: "tuning", or empty; `finished`:
/// after each of them.
void make_runs(lab::StudyRuns& runs, const StudyOptions& options, const std::string& what,
               Workload& work, ProgressLine& line, const std::function<void()>& finished);

/// Shows the table so far and writes the page, which may not be possible now.
void show_live(const lab::Report& report, const std::filesystem::path& page, ProgressLine& line,
               std::size_t& next);

/// Shows what the choices have come to so far, by their validation loss.
void show_tuning(lab::Report report, ProgressLine& line, std::size_t& next);

/// Says `what` is not so while a run is missing, and the first that failed. Exit code.
int refuse_missing(ProgressLine& line, const std::string& what, const std::string& failed);

/// Says what becomes of what was made, and ends this process as the signal would have, so that a
/// shell's loop stops, too.
[[noreturn]] void end_interrupted(const lab::Interrupted& interrupted, ProgressLine& line,
                                  bool nothing_written);

}  // namespace cli
