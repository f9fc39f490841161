#include "cli/study_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/show.h"
#include "lab/report/html.h"
#include "lab/runs/processes.h"

namespace cli {
namespace {

constexpr int kBar = 12;  // characters of the bar

/// One run in full, several by their share alone.
std::string runs_text(std::size_t done, std::size_t count, std::span<const lab::LiveRun> running) {
  std::string text = fmt::format("run {}/{}", std::min(count, done + 1), count);
  if (running.size() == 1)
    return text +
           fmt::format(" · {} · {}", running[0].order.label, progress_text(running[0].progress));
  for (const lab::LiveRun& run : running)
    text += fmt::format(" | {} · {:.0f} %", run.order.label, 100 * run.progress.fraction);
  return text;
}

/// Whether every arm of every cell has as many seeds as this, and none has more.
bool even_seeds(const lab::Report& report, std::size_t seeds) {
  for (const lab::CellReport& cell : report.cells)
    for (const lab::ArmReport& arm : cell.arms)
      if (arm.runs.size() != seeds) return false;
  return true;
}

/// On a terminal after every run, in a log when every arm has another power of 2 of seeds.
void show_table(const lab::Report& report, ProgressLine& line, std::size_t& next) {
  if (line.redraws()) return line.block(lab::render_live(report));
  if (!even_seeds(report, next)) return;
  line.note(lab::render_live(report));
  next *= 2;
}

double budget_of(const lab::RunSpec& spec) { return spec.settings.budget_share; }

}  // namespace

lab::Jobs planned_jobs(const lab::StudyRuns& runs, const StudyOptions& options) {
  const std::string program = lab::this_program();
  if (!options.jobs) return lab::measured_jobs(runs, program);
  lab::Jobs jobs = lab::given_jobs(*options.jobs, runs.study().base);
  if (options.dry) jobs.speedup = lab::measured_speedup(runs, jobs, program);
  return jobs;
}

std::string Workload::text(double running) const {
  const double part = total_ > 0 ? std::clamp((done_ + running) / total_, 0.0, 1.0) : 1;
  std::string bar;
  for (int i = 0; i < kBar; ++i) bar += i < std::lround(part * kBar) ? "█" : "·";
  std::string text = fmt::format("[{}] {:3.0f} %", bar, 100 * part);
  if (part > 0.01)
    text += fmt::format(" · {} left", duration(watch_.seconds() * (1 - part) / part));
  return text;
}

double budgets_of(const lab::StudyRuns& runs, bool chosen) {
  double sum = 0;
  // Before the choice, arms may look alike that will not be.
  for (const lab::Point& p : chosen ? runs.missing() : runs.points())
    sum += budget_of(runs.spec(runs.id(p)));
  return sum;
}

void make_runs(lab::StudyRuns& runs, const StudyOptions& options, const std::string& what,
               Workload& work, ProgressLine& line, const std::function<void()>& finished) {
  const lab::Jobs jobs = planned_jobs(runs, options);
  if (!jobs.note.empty()) line.note(jobs.note);
  lab::RunEvents events;
  events.note = [&](const std::string& text) { line.note(text); };
  events.done = [&](const lab::RunRecord& record) {
    work.done(budget_of(runs.spec(record.id)));
    finished();
  };
  events.progress = [&](std::span<const lab::LiveRun> running) {
    if (!line.due()) return;
    double part = 0;
    for (const lab::LiveRun& run : running)
      part += run.progress.fraction * budget_of(runs.spec(run.order.id));
    line.update(work.text(part) + " · " + (what.empty() ? "" : what + " ") +
                runs_text(runs.count() - runs.missing().size(), runs.count(), running));
  };
  lab::Workers workers{lab::this_program(), jobs.count, jobs.threads};
  workers.other_builds = options.other_builds;
  workers.keep_weights = runs.needs_weights();
  runs.make(workers, events);
  line.block("");
}

void show_live(const lab::Report& report, const std::filesystem::path& page, ProgressLine& line,
               std::size_t& next) {
  if (report.final) return;  // the report itself has more to say
  try {
    base::write_atomically(page, lab::render_html(report));
  } catch (const base::Error& e) {
    line.note(fmt::format("no page for now: {}", e.what()));  // no reason to stop making runs
  }
  show_table(report, line, next);
}

void show_tuning(lab::Report report, ProgressLine& line, std::size_t& next) {
  report.judged = "val_loss";  // what is judged on is not looked at
  report.tuning = true;
  for (lab::CellReport& cell : report.cells)
    std::erase_if(cell.arms, [](const lab::ArmReport& arm) {
      return arm.runs.empty() && arm.missing.empty();
    });
  show_table(report, line, next);
}

int refuse_missing(ProgressLine& line, const std::string& what, const std::string& failed) {
  line.finish();
  fmt::print(stderr,
             "isodrop: error: {} is missing; the same command makes it again; the first: {}\n",
             what, base::printable(failed));
  return kNoRun;
}

void end_interrupted(const lab::Interrupted& interrupted, ProgressLine& line,
                     bool nothing_written) {
  line.finish();
  fmt::print(stderr, "isodrop: {}; {}\n", interrupted.what(),
             nothing_written ? "nothing was written"
                             : "what is done is kept, and the same command goes on from there");
  std::fflush(nullptr);
  std::signal(interrupted.signal, SIG_DFL);
  std::raise(interrupted.signal);
  std::_Exit(128 + interrupted.signal);
}

}  // namespace cli
