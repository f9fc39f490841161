#include "lab/session/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "lab/runs/processes.h"
#include "lab/study/speed.h"

namespace lab {
namespace {

constexpr const char* kChoices = "tuning.json";
constexpr const char* kSpeed = "speed.json";

double budget_of(const StudyRuns& runs, const std::string& id) {
  return runs.spec(id).settings.budget_share;
}

double budgets(const StudyRuns& runs, const std::vector<Point>& points) {
  double sum = 0;
  for (const Point& p : points) sum += budget_of(runs, runs.id(p));
  return sum;
}

/// The table of the tuning: by validation loss, without arms that have nothing to choose.
Report tuning_table(const StudyRuns& runs) {
  Report report = make_report(runs, {}, 1, "", false);
  report.judged = "val_loss";  // test losses are not looked at before the choice
  report.tuning = true;
  for (CellReport& cell : report.cells)
    std::erase_if(cell.arms,
                  [](const ArmReport& arm) { return arm.runs.empty() && arm.missing.empty(); });
  return report;
}

/// Why the first run failed if all of them did; otherwise empty.
std::string why_none(const StudyRuns& runs) {
  for (const Point& point : runs.points())
    if (runs.record(point)->status != Status::kFailed) return "";
  return runs.first_failure();
}

}  // namespace

void require_made(const StudyRuns& runs, std::string_view what) {
  if (const std::string failed = runs.first_failure(); !failed.empty())
    throw RunsMissing(fmt::format(
        "{} could not be made; run the same command again to try again; the first failure: {}",
        what, failed));
}

double budgets_missing(const StudyRuns& runs) { return budgets(runs, runs.missing()); }

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
    work.done += budget_of(runs, record.id);
    observer.run_done(record);
    changed();
  };
  events.progress = [&](std::span<const LiveRun> running) {
    if (!observer.wants_progress()) return;
    double done = work.done;
    for (const LiveRun& run : running)
      done += run.progress.fraction * budget_of(runs, run.request.id);
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

Session::Session(Study study, SessionOptions options, Observer& observer)
    : options_(std::move(options)),
      observer_(observer),
      runs_(study, Store(options_.store), options_.other_builds, options_.out),
      folder_(options_.out, runs_.identity()) {
  if (tunes(study)) {
    if (const Json json = folder_.load(kChoices); json.is_null())
      tuning_.emplace(runs_);
    else {
      study.tuned = tuned_from_json(json, runs_.study(), runs_.identity(),
                                    (folder_.path() / kChoices).string());
      use(runs_.with_study(study));
    }
  }
  if (options_.keep_weights) runs_.need_weights();
  // Before the choice, arms may share runs that will differ after it.
  work_.total = tuning_ ? budgets(runs_, runs_.points()) + budgets_missing(tuning_->runs())
                        : budgets_missing(runs_);
}

void Session::use(StudyRuns runs) {
  runs_ = std::move(runs);
  if (options_.keep_weights) runs_.need_weights();
}

std::vector<std::string> Session::notes() const {
  std::vector<std::string> out;
  const Study& study = runs_.study();
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm)
    for (const std::string& note : train::notes(settings_at(study, {0, arm, 0, 0})))
      out.push_back(fmt::format("{}: {}", study.arms[arm].name, note));
  return out;
}

DryRun Session::plan() const {
  return dry_run(runs_, planned_jobs(runs_, options_, true), search());
}

void Session::prepare() {
  if (std::exchange(prepared_, true)) return;
  if (runs_.outdated() > 0)
    observer_.note(fmt::format("{} in {} by another build: made again; --other-builds uses them",
                               base::counted(runs_.outdated(), "run"), options_.store.string()));
  runs_.check(options_.jobs.value_or(1));
  folder_.create();
}

void Session::choose() {
  if (tuning_ && tuning_->done()) freeze();
}

void Session::tune() {
  choose();
  if (!tuning_) return;
  prepare();
  while (!tuning_->done()) {
    tuning_->runs().check(options_.jobs.value_or(1));
    make_runs(tuning_->runs(), options_, "tuning", work_, observer_,
              [&] { observer_.table_changed(tuning_table(tuning_->runs())); });
    require_made(tuning_->runs(), "a run of the tuning");
    tuning_->settle();
  }
  freeze();
}

void Session::freeze() {
  Study study = runs_.study();
  folder_.create();
  folder_.save(kChoices, to_json(tuning_->tuned(), study, runs_.identity()));
  for (const Tuned& of : tuning_->tuned()) {
    const std::string& cell = study.cells[of.cell].name;
    observer_.note(
        fmt::format("chosen for {}{}: {}{}", study.arms[of.arm].name,
                    cell.empty() ? "" : " in " + cell, to_text(of.set()),
                    of.edge ? "; the edge of the grid won, so a wider grid may do better" : ""));
  }
  study.tuned = tuning_->tuned();
  tuning_.reset();
  use(runs_.with_study(study));
}

void Session::look_again() {
  StudyRuns& runs = tuning() ? tuning_->runs() : runs_;
  const std::size_t before = runs.missing().size();
  const bool weights = runs.needs_weights();
  runs = runs.with_study(runs.study());
  if (weights) runs.need_weights();
  base::require(runs.missing().size() < before, before,
                " runs were submitted and none has finished; see the logs in the folder of --plan");
  if (!tuning() || !runs.missing().empty()) return;
  tuning_->settle();
  choose();
}

void Session::run() {
  if (!runs_.missing().empty()) {
    prepare();
    make_runs(runs_, options_, "", work_, observer_,
              [&] { observer_.table_changed(make_report(runs_, {}, 1, "")); });
  }
  folder_.create();  // others may have made the runs
}

Speeds Session::step_times() {
  try {
    if (const auto kept = speeds_from_json(folder_.load(kSpeed), runs_)) return *kept;
    observer_.started("timing single steps of all arms");
    const Speeds speeds = measure_speed(runs_);
    folder_.save(kSpeed, to_json(speeds, runs_));
    return speeds;
  } catch (const base::Error& e) {  // the results are there all the same
    observer_.note(fmt::format("step times could not be measured: {}", e.what()));
    return {};
  }
}

Judged Session::report() {
  if (const std::string reason = why_none(runs_); !reason.empty())
    throw RunsMissing("no run of this comparison could be made; the first failure: " + reason);
  const Speeds speeds = step_times();
  Judged out{.report = make_report(runs_, speeds, count_look(runs_), folder_.path().string())};
  out.json = to_json(out.report);
  folder_.save("report.json", out.json);
  observer_.finished(out.report);
  return out;
}

}  // namespace lab
