#include "lab/session/make_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/runs/processes.h"

namespace lab {
namespace {

double budget_of(const RunSpec& spec) { return spec.settings.budget_share; }

}  // namespace

void require_made(const StudyRuns& runs, std::string_view what) {
  if (const std::string failed = runs.first_failure(); !failed.empty())
    throw RunsMissing(fmt::format(
        "{} could not be made; run the same command again to try again; the first failure: {}",
        what, failed));
}

double budgets_of(const StudyRuns& runs, bool chosen) {
  double sum = 0;
  for (const Point& p : chosen ? runs.missing() : runs.points())
    sum += budget_of(runs.spec(runs.id(p)));
  return sum;
}

Jobs planned_jobs(const StudyRuns& runs, const SessionOptions& options, bool speedup) {
  const std::string program = this_program();
  if (!options.jobs) return measured_jobs(runs, program);
  Jobs jobs = given_jobs(*options.jobs, runs.study().base);
  if (speedup) jobs.speedup = measured_speedup(runs, jobs, program);
  return jobs;
}

void make_runs(StudyRuns& runs, const SessionOptions& options, std::string_view phase,
               Workload& work, Observer& observer, const std::function<void()>& changed) {
  const Jobs jobs = planned_jobs(runs, options);
  if (!jobs.note.empty()) observer.note(jobs.note);
  RunEvents events;
  events.note = [&](const std::string& text) { observer.note(text); };
  events.done = [&](const RunRecord& record) {
    work.done += budget_of(runs.spec(record.id));
    observer.run_done(record);
    changed();
  };
  events.progress = [&](std::span<const LiveRun> running) {
    if (!observer.wants_progress()) return;
    double done = work.done;
    for (const LiveRun& run : running)
      done += run.progress.fraction * budget_of(runs.spec(run.request.id));
    observer.progress({.phase = phase,
                       .done = runs.count() - runs.missing().size(),
                       .count = runs.count(),
                       .running = running,
                       .share = work.total > 0 ? std::clamp(done / work.total, 0.0, 1.0) : 1});
  };
  Workers workers{.program = this_program(), .count = jobs.count, .threads = jobs.threads};
  workers.other_builds = options.other_builds;
  workers.keep_weights = runs.needs_weights();
  runs.make(workers, events);
  observer.phase_ended();
}

}  // namespace lab
