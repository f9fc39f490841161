#include "cli/study_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/show.h"
#include "cli/study_plan.h"
#include "cli/study_progress.h"
#include "cli/terminal.h"
#include "lab/report/dry_run_render.h"
#include "lab/report/html.h"
#include "lab/report/report.h"
#include "lab/runs/processes.h"
#include "lab/study/folder.h"
#include "lab/study/looks.h"
#include "lab/study/tuning.h"

namespace cli {
namespace {

constexpr const char* kChoices = "tuning.json";

/// The choices that were written down; nothing before.
std::vector<lab::Tuned> frozen(const lab::StudyFolder& folder, const lab::StudyRuns& runs) {
  const lab::Json json = folder.load(kChoices);
  if (json.is_null()) return {};
  return lab::tuned_from_json(json, runs.study(), runs.identity(),
                              (folder.path() / kChoices).string());
}

/// Makes the runs of the tuning until it is done. Exit code: kNoRun where one could not be made,
/// which must not decide a choice.
int tune(lab::GridSearch& tuning, const StudyOptions& options, Workload& work, ProgressLine& line) {
  while (!tuning.done()) {
    std::size_t next = 1;
    tuning.runs().check(options.jobs.value_or(1));
    make_runs(tuning.runs(), options, "tuning", work, line,
              [&] { show_tuning(lab::make_report(tuning.runs(), {}, 1, "", false), line, next); });
    if (const std::string failed = tuning.runs().first_failure(); !failed.empty())
      return refuse_missing(line, "nothing is chosen while a run of the tuning", failed);
    tuning.settle();
  }
  return 0;
}

/// Writes the choice down, and says it.
std::vector<lab::Tuned> freeze(const lab::GridSearch& tuning, const lab::StudyRuns& judged,
                               const lab::StudyFolder& folder, ProgressLine& line) {
  const lab::Study& study = judged.study();
  folder.create();
  folder.save(kChoices, lab::to_json(tuning.tuned(), study, judged.identity()));
  for (const lab::Tuned& of : tuning.tuned()) {
    const std::string& cell = study.cells[of.cell].name;
    line.note(fmt::format("chosen for {}{}: {}{}", study.arms[of.arm].name,
                          cell.empty() ? "" : " in " + cell, lab::to_text(of.set()),
                          of.edge ? " (at an edge of what was tried)" : ""));
  }
  return tuning.tuned();
}

/// Has somebody else make the missing runs, and looks. Throws base::Error where none came of it,
/// so that trying again would go on for ever.
void made_elsewhere(lab::StudyRuns& runs, const std::function<void()>& make) {
  const std::size_t before = runs.missing().size();
  make();
  const bool weights = runs.needs_weights();
  runs = runs.anew(runs.study());
  if (weights) runs.need_weights();
  base::require(runs.missing().size() < before, before,
                " runs were submitted and not one is there; the logs in the folder of --plan say "
                "why");
}

/// Why the first run failed, where all of them did; otherwise empty.
std::string why_none(const lab::StudyRuns& runs) {
  for (const lab::Point& point : runs.points())
    if (runs.record(point)->status != lab::Status::kFailed) return "";
  return runs.first_failure();
}

/// Measured once, when no run is being made, and kept; empty where that cannot be.
lab::Speeds step_times(const lab::StudyRuns& runs, const lab::StudyFolder& folder,
                       ProgressLine& line) {
  constexpr const char* kSpeed = "speed.json";
  try {
    if (const auto kept = lab::speeds_from_json(folder.load(kSpeed), runs)) return *kept;
    line.update("timing single steps of all arms");
    const auto speeds = lab::measure_speed(runs);
    folder.save(kSpeed, lab::to_json(speeds, runs));
    return speeds;
  } catch (const base::Error& e) {
    // The results are there all the same.
    line.note(fmt::format("step times could not be measured: {}", e.what()));
    return {};
  }
}

void print_notes(const lab::Study& study) {
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm)
    for (const std::string& note : train::notes(lab::settings_at(study, {0, arm, 0, 0})))
      fmt::print(stderr, "isodrop: note: {}: {}\n", study.arms[arm].name, note);
}

StudyMade report(const lab::StudyRuns& runs, const lab::StudyFolder& folder,
                 const StudyOptions& options, ProgressLine& line) {
  if (const std::string reason = why_none(runs); !reason.empty()) {
    line.finish();
    fmt::print(stderr,
               "isodrop: error: not one run of this comparison could be made; the first: {}\n",
               base::printable(reason));
    return kNoRun;
  }
  const auto speeds = step_times(runs, folder, line);
  line.finish();
  StudyMade made;
  made.report = lab::make_report(runs, speeds, lab::count_look(runs), folder.path().string());
  made.json = lab::to_json(*made.report);
  made.page = page_path(folder.path(), options);
  folder.save("report.json", made.json);
  return made;
}

}  // namespace

int show_dry_run(const lab::DryRun& plan, const std::string& format) {
  if (format == "json")
    fmt::print("{}", base::json_text(lab::to_json(plan)));
  else
    fmt::print("{}", lab::render_text(plan));
  lab::require_fits(plan);
  return 0;
}

std::filesystem::path page_path(const std::filesystem::path& folder, const StudyOptions& options) {
  return options.html.empty() ? folder / "report.html" : options.html;
}

StudyMade make_study(lab::Study study, const StudyOptions& options) {
  // Blocks the signals that mean "stop" before a thread is there that would take them: the dry run
  // for the script, or for the time limit, starts threads.
  std::optional<lab::Processes> blocking;
  if (options.submit || options.time_limit) blocking.emplace();
  lab::StudyRuns runs(study, lab::Store(options.store), options.other_builds, options.out);
  print_notes(study);
  const lab::StudyFolder folder(options.out, runs.identity());
  std::optional<lab::GridSearch> tuning;
  if (lab::tunes(study)) {
    study.tuned = frozen(folder, runs);
    if (study.tuned.empty())
      tuning.emplace(runs);
    else
      runs = runs.anew(study);
  }
  if (options.keep_weights) runs.need_weights();
  const auto planned = [&](const lab::StudyRuns& of) {
    return lab::dry_run(of, planned_jobs(of, options), tuning ? &*tuning : nullptr);
  };
  ProgressLine line;
  try {
    if (options.dry) {
      const lab::DryRun plan = planned(runs);
      const int code = show_dry_run(plan, options.format);
      if (options.time_limit) lab::require_in_time(plan, study, *options.time_limit);
      return code;
    }
    if (options.time_limit) lab::require_in_time(planned(runs), study, *options.time_limit);
    const bool others = !options.plan.empty() || options.collect;
    while (options.submit && tuning && !tuning->done())
      made_elsewhere(tuning->runs(), [&] { submit_and_wait(runs, options, &*tuning, line); }),
          tuning->settle();
    if (others && tuning && !tuning->done())
      return options.collect ? say_missing(tuning->runs(), options, true)
                             : write_plan(runs, options, &*tuning);
    if (runs.outdated() > 0)
      line.note(fmt::format("{} in {} by another build: {}; --other-builds takes what is there",
                            base::counted(runs.outdated(), "run"), options.store.string(),
                            options.collect ? "not taken" : "made again"));
    Workload work(budgets_of(runs, !tuning) + (tuning ? budgets_of(tuning->runs()) : 0));
    if (!others && (tuning || !runs.missing().empty())) {
      runs.check(options.jobs.value_or(1));
      folder.create();
    }
    if (tuning) {
      if (const int code = tune(*tuning, options, work, line); code != 0) return code;
      study.tuned = freeze(*tuning, runs, folder, line);
      runs = runs.anew(study);
      if (options.keep_weights) runs.need_weights();
    }
    while (options.submit && !runs.missing().empty())
      made_elsewhere(runs, [&] { submit_and_wait(runs, options, nullptr, line); });
    if (!options.plan.empty() && !options.submit) return write_plan(runs, options, nullptr);
    if (options.collect && !runs.missing().empty()) return say_missing(runs, options, false);
    std::size_t next = 1;  // seeds of the next table that a log gets
    if (!runs.missing().empty())
      make_runs(runs, options, "", work, line, [&] {
        show_live(lab::make_report(runs, {}, 1, ""), page_path(folder.path(), options), line, next);
      });
    folder.create();  // where others have made the runs
  } catch (const lab::Interrupted& e) {
    blocking.reset();
    end_interrupted(e, line, options.dry);
  }
  blocking.reset();
  return report(runs, folder, options, line);
}

int run_study(lab::Study study, const StudyOptions& options) {
  const StudyMade made = make_study(std::move(study), options);
  if (!made.report) return made.code;
  // The verdicts first: a page that cannot be written does not cost them.
  fmt::print("{}", lab::render(*made.report, options.format, color(stdout), table_width(stdout)));
  base::write_atomically(made.page, lab::render_html(*made.report));
  if (options.format == "text") fmt::print("Pictures: {}\n", made.page.string());
  return 0;
}

}  // namespace cli
