#include "cli/study_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/output_file.h"
#include "cli/show.h"
#include "cli/study_progress.h"
#include "cli/terminal.h"
#include "engine/error.h"
#include "engine/suggest.h"
#include "lab/report/dry_run_render.h"
#include "lab/report/html.h"
#include "lab/report/report.h"
#include "lab/runs/processes.h"
#include "lab/study/folder.h"
#include "lab/study/jobs.h"
#include "lab/study/looks.h"
#include "lab/study/tuning.h"
#include "train/files.h"

namespace cli {
namespace {

constexpr int kNoRun = 1;  // exit code

std::filesystem::path page_path(const lab::StudyFolder& folder, const StudyOptions& options) {
  return options.html.empty() ? folder.path() / "report.html" : options.html;
}

constexpr const char* kChoices = "tuning.json";

/// The choices that were written down; nothing before.
std::vector<lab::Tuned> frozen(const lab::StudyFolder& folder, const lab::StudyRuns& runs) {
  const lab::Json json = folder.load(kChoices);
  if (json.is_null()) return {};
  return lab::tuned_from_json(json, runs.study(), runs.identity(),
                              (folder.path() / kChoices).string());
}

lab::StudyRuns tuning_runs(const lab::TuningStudy& tuning, const StudyOptions& options) {
  return {tuning.study, lab::Store(options.store), options.other_builds, options.out};
}

/// Tunes until no edge is left to move, and writes the choice down.
std::vector<lab::Tuned> tune(const lab::StudyRuns& judged, const lab::StudyFolder& folder,
                             const StudyOptions& options, Workload& work, ProgressLine& line) {
  std::vector<lab::Tuned> tuned;
  while (true) {
    const lab::TuningStudy tuning = lab::tuning_study(judged.study(), tuned);
    lab::StudyRuns runs = tuning_runs(tuning, options);
    std::size_t next = 1;
    if (!runs.missing().empty())
      make_runs(runs, options, "tuning", work, line,
                [&] { show_tuning(lab::make_report(runs, {}, 1, ""), line, next); });
    tuned = lab::choose(judged.study(), tuning, runs);
    if (std::all_of(tuned.begin(), tuned.end(), [&](const lab::Tuned& of) {
          return lab::beyond_the_edge(judged.study(), of).empty();
        }))
      break;
  }
  folder.save(kChoices, lab::to_json(tuned, judged.study(), judged.identity()));
  for (const lab::Tuned& of : tuned) {
    std::string set;
    for (const auto& [name, value] : of.set()) set += " " + name + "=" + value;
    const lab::Study& study = judged.study();
    line.note(fmt::format("chosen for {}{}:{}{}", study.arms[of.arm].name,
                          study.cells[of.cell].name.empty() ? "" : " in " + study.cells[of.cell].name,
                          set, of.edge ? " (at the edge of its grid)" : ""));
  }
  return tuned;
}

/// Writes the specs of the missing runs into a folder, for whatever makes them. Exit code.
int write_plan(const lab::StudyRuns& runs, const std::filesystem::path& folder,
               const std::string& note) {
  train::make_folder(folder);
  const std::vector<lab::Point> missing = runs.missing();
  for (const lab::Point& point : missing) {
    const std::string& id = runs.id(point);
    train::write_json(folder / (id + ".json"), lab::to_json(runs.spec(id)));
  }
  fmt::print(
      "{}{} of {} runs are missing; their specs are in {}; 'isodrop run SPEC.json' makes one\n",
      note, missing.size(), runs.count(), folder.string());
  return 0;
}

/// Why the first run failed, where all of them did; otherwise empty.
std::string why_none(const lab::StudyRuns& runs) {
  for (const lab::Point& point : runs.points())
    if (runs.record(point)->status != lab::Status::kFailed) return "";
  const lab::Point& first = runs.points().front();
  return fmt::format("{}: {}", runs.label(first), runs.record(first)->error);
}

/// Measured once, when no run is being made, and kept; empty where that cannot be.
lab::Speeds step_times(const lab::StudyRuns& runs, const lab::StudyFolder& folder,
                       ProgressLine& line) {
  constexpr const char* kSpeed = "speed.json";
  if (const auto kept = lab::speeds_from_json(folder.load(kSpeed), runs)) return *kept;
  line.update("timing single steps of all arms");
  try {
    const auto speeds = lab::measure_speed(runs);
    folder.save(kSpeed, lab::to_json(speeds, runs));
    return speeds;
  } catch (const engine::Error& e) {
    // The results are there all the same.
    line.note(fmt::format("step times could not be measured: {}", e.what()));
    return {};
  }
}

/// Ends this process as the signal would have, so that a shell's loop stops, too.
[[noreturn]] void end_by(int signal) {
  std::fflush(nullptr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::_Exit(128 + signal);
}

void print_notes(const lab::Study& study) {
  for (std::size_t arm = 0; arm < study.arms.size(); ++arm)
    for (const std::string& note : train::notes(lab::settings_at(study, {0, arm, 0, 0})))
      fmt::print(stderr, "isodrop: note: {}: {}\n", study.arms[arm].name, note);
}

int report(const lab::StudyRuns& runs, const lab::StudyFolder& folder, const StudyOptions& options,
           ProgressLine& line) {
  if (const std::string reason = why_none(runs); !reason.empty()) {
    line.finish();
    fmt::print(stderr,
               "isodrop: error: not one run of this comparison could be made; the first: {}\n",
               reason);
    return kNoRun;
  }
  const auto speeds = step_times(runs, folder, line);
  line.finish();
  const lab::Report report =
      lab::make_report(runs, speeds, lab::count_look(runs), folder.path().string());
  folder.save("report.json", lab::to_json(report));
  const std::filesystem::path page = page_path(folder, options);
  train::write_atomically(page, lab::render_html(report));
  fmt::print("{}", lab::render(report, options.format, color(stdout), table_width(stdout)));
  if (options.format == "text") fmt::print("Pictures: {}\n", page.string());
  return 0;
}

}  // namespace

int show_dry_run(const lab::DryRun& plan, const std::string& format) {
  if (format == "json")
    fmt::print("{}\n", lab::to_json(plan).dump(2));
  else
    fmt::print("{}", lab::render_text(plan));
  lab::require_fits(plan);
  return 0;
}

std::vector<Extra> study_flags(std::string_view only_with) {
  Extra store = store_flag();
  store.only_with = only_with;
  return {
      {"jobs",
       "N|auto",
       "auto",
       "runs made at once, each in a process of its own on its share of the threads; auto tries "
       "what finishes first. The results are the same",
       false,
       {},
       only_with,
       "plan"},
      store,
      {"html",
       "FILE",
       "",
       "the report as a page with pictures, written anew after every run (default: report.html in "
       "the folder of the report)",
       false,
       {},
       only_with},
      {"plan",
       "DIR",
       "",
       "write a spec for every run that is missing, and make none",
       false,
       {},
       only_with},
      {"other-builds",
       "",
       "",
       "take runs that another build of isodrop has made, and say so in the report",
       false,
       {},
       only_with},
      {"dry-run", "", "", "say what it will take (memory, FLOPs, time) and train nothing"}};
}

StudyOptions study_options(const Parsed& args) {
  StudyOptions options;
  options.format = args.text("format");
  options.dry = args.has("dry-run");
  options.store = store_path(args);
  options.out = args.text("out");
  options.plan = args.text("plan");
  options.html = args.text("html");
  open_output(args, "html");  // refuses now what could not be written in the end
  options.other_builds = args.has("other-builds");
  engine::require(!options.dry || options.plan.empty(), "--plan ", options.plan.string(),
                  " with --dry-run: one writes specs, the other nothing; give one of them");
  const std::string& jobs = args.text("jobs");
  if (jobs == "auto") return options;
  std::int64_t count = 0;
  engine::require(train::parse_number(jobs, count) == std::errc{}, "--jobs ", engine::quote(jobs),
                  ": give auto or a whole number");
  options.jobs = lab::given_jobs(count, args.settings).count;
  return options;
}

int run_study(lab::Study study, const StudyOptions& options) {
  const bool tuned = lab::tunes(study);
  if (tuned) lab::validate(lab::tuning_study(study).study);
  lab::StudyRuns runs(study, lab::Store(options.store), options.other_builds,
                      options.out);
  print_notes(runs.study());
  const lab::StudyFolder folder(options.out, runs.identity());
  if (tuned) {
    study.tuned = frozen(folder, runs);
    if (!study.tuned.empty())
      runs = lab::StudyRuns(study, lab::Store(options.store), options.other_builds, options.out);
  }
  const bool to_tune = tuned && study.tuned.empty();
  if (!options.plan.empty()) {
    if (!to_tune) return write_plan(runs, options.plan, "");
    const lab::TuningStudy tuning = lab::tuning_study(study);
    const lab::StudyRuns first = tuning_runs(tuning, options);
    if (!first.missing().empty())
      return write_plan(first, options.plan,
                        "tuning comes first; when they are made, the same command writes the rest. ");
  }
  ProgressLine line;
  try {
    if (options.dry) {
      const lab::Jobs jobs = planned_jobs(runs, options);
      if (!to_tune) return show_dry_run(lab::dry_run(runs, jobs), options.format);
      const lab::TuningStudy tuning = lab::tuning_study(study);
      const lab::StudyRuns first = tuning_runs(tuning, options);
      first.check(0);
      return show_dry_run(lab::dry_run(runs, jobs, &tuning, &first), options.format);
    }
    if (runs.outdated() > 0)
      line.note(
          fmt::format("{} runs in {} were made by another build and are made again; "
                      "--other-builds takes them as they are",
                      runs.outdated(), options.store.string()));
    double total = budgets_of(runs, !to_tune);
    if (to_tune) total += budgets_of(tuning_runs(lab::tuning_study(study), options));
    Workload work(total);
    if (to_tune || !runs.missing().empty()) {
      runs.check(options.jobs.value_or(1));
      folder.create();
    }
    if (to_tune) {
      study.tuned = tune(runs, folder, options, work, line);
      runs = lab::StudyRuns(study, lab::Store(options.store), options.other_builds, options.out);
      if (!options.plan.empty()) return write_plan(runs, options.plan, "");
    }
    std::size_t next = 1;  // seeds of the next table that a log gets
    if (!runs.missing().empty())
      make_runs(runs, options, "", work, line, [&] {
        show_live(lab::make_report(runs, {}, 1, ""), page_path(folder, options), line, next);
      });
    folder.create();  // where others have made the runs
  } catch (const lab::Interrupted& e) {
    line.finish();
    fmt::print(stderr, "isodrop: {}; {}\n", e.what(),
               options.dry ? "nothing was written"
                           : "what is done is kept, and the same command goes on from there");
    end_by(e.signal);
  }
  return report(runs, folder, options, line);
}

}  // namespace cli
