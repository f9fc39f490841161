#include "cli/study_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/output_file.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "engine/suggest.h"
#include "lab/report/dry_run_render.h"
#include "lab/report/html.h"
#include "lab/report/report.h"
#include "lab/runs/processes.h"
#include "lab/study/folder.h"
#include "lab/study/jobs.h"
#include "lab/study/looks.h"
#include "train/files.h"

namespace cli {
namespace {

constexpr int kNoRun = 1;  // exit code

/// As many as were asked for, with the speedup that a dry run wants, or what auto finds.
lab::Jobs planned_jobs(const lab::StudyRuns& runs, const StudyOptions& options) {
  const std::string program = lab::this_program();
  if (!options.jobs) return lab::measured_jobs(runs, program);
  lab::Jobs jobs = lab::given_jobs(*options.jobs, runs.study().base);
  if (options.dry) jobs.speedup = lab::measured_speedup(runs, jobs, program);
  return jobs;
}

/// One run in full, several by their share alone.
std::string runs_text(std::size_t done, std::size_t count,
                      std::span<const lab::RunningRun> running) {
  if (running.size() == 1 && running[0].number == done + 1)
    return fmt::format("run {}/{} · {} · {}", running[0].number, count, running[0].label,
                       progress_text(running[0].progress));
  std::string text = fmt::format("{}/{} done", done, count);
  for (const lab::RunningRun& run : running)
    text += fmt::format(" | {} · {:.0f} %", run.label, 100 * run.progress.fraction);
  return text;
}

/// Whether every arm of every cell has as many seeds as this, and none has more.
bool even_seeds(const lab::Report& report, std::size_t seeds) {
  for (const lab::CellReport& cell : report.cells)
    for (const lab::ArmReport& arm : cell.arms)
      if (arm.runs.size() != seeds) return false;
  return true;
}

std::filesystem::path page_path(const lab::StudyFolder& folder, const StudyOptions& options) {
  return options.html.empty() ? folder.path() / "report.html" : options.html;
}

/// The page so far. That it cannot be written is no reason to stop making runs.
void write_page(const lab::Report& report, const std::filesystem::path& path, ProgressLine& line) {
  try {
    train::write_atomically(path, lab::render_html(report));
  } catch (const engine::Error& e) {
    line.note(fmt::format("no page for now: {}", e.what()));
  }
}

void make_runs(lab::StudyRuns& runs, const lab::StudyFolder& folder, const StudyOptions& options,
               ProgressLine& line) {
  runs.check(options.jobs.value_or(1));
  folder.create();
  const lab::Jobs jobs = planned_jobs(runs, options);
  if (!jobs.note.empty()) line.note(jobs.note);
  std::size_t next = 1;  // seeds of the next table that a log gets
  lab::StudyEvents events;
  events.note = [&](const std::string& text) { line.note(text); };
  events.finished = [&] {
    const lab::Report report = lab::make_report(runs, {}, 1, "");
    if (report.final) return;  // report() has more to say
    write_page(report, page_path(folder, options), line);
    if (line.redraws()) return line.block(lab::render_live(report));
    if (!even_seeds(report, next)) return;
    line.note(lab::render_live(report));
    next *= 2;
  };
  events.progress = [&](std::size_t done, std::size_t count,
                        std::span<const lab::RunningRun> running) {
    if (line.due()) line.update(runs_text(done, count, running));
  };
  lab::Workers workers{lab::this_program(), jobs.count, jobs.threads};
  workers.other_builds = options.other_builds;
  runs.make(workers, events);
  line.block("");
}

/// Writes the specs of the missing runs into a folder, for whatever makes them. Exit code.
int write_plan(const lab::StudyRuns& runs, const std::filesystem::path& folder) {
  train::make_folder(folder);
  const std::vector<lab::Point> missing = runs.missing();
  for (const lab::Point& point : missing) {
    const std::string& id = runs.id(point);
    train::write_json(folder / (id + ".json"), lab::to_json(runs.spec(id)));
  }
  fmt::print(
      "{} of {} runs are missing; their specs are in {}; 'isodrop run SPEC.json' makes one\n",
      missing.size(), runs.count(), folder.string());
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
  fmt::print("{}", lab::render(report, options.format, color(stdout)));
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
       only_with},
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
  if (study.base.threads > 0) omp_set_num_threads(static_cast<int>(study.base.threads));
  lab::StudyRuns runs(std::move(study), lab::Store(options.store), options.other_builds,
                      options.out);
  print_notes(runs.study());
  const lab::StudyFolder folder(options.out, runs.identity());
  if (!options.plan.empty()) return write_plan(runs, options.plan);
  ProgressLine line;
  try {
    if (options.dry)
      return show_dry_run(lab::dry_run(runs, planned_jobs(runs, options)), options.format);
    if (runs.outdated() > 0)
      line.note(
          fmt::format("{} runs in {} were made by another build and are made again; "
                      "--other-builds takes them as they are",
                      runs.outdated(), options.store.string()));
    if (!runs.missing().empty()) make_runs(runs, folder, options, line);
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
