#include "lab/batch/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "lab/batch/batch_system.h"
#include "lab/runs/make.h"
#include "lab/runs/processes.h"

namespace lab {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostNamed = 10;  // of the missing runs, in text

fs::path full_path(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

/// Named after its lines, so that a job in a queue finds the list it was submitted with.
std::string list_name(const std::vector<std::string>& lines) {
  return "specs-" + fingerprint(lines).substr(0, 12) + ".txt";
}

void write_script(const Session& session, const PlanOptions& options, const BatchSystem& system,
                  const std::vector<std::string>& specs) {
  const StudyRuns& runs = session.next();
  base::require(
      train::run_budget(runs.study().base).fixed_steps(), "--engine ", options.system,
      " with a budget in seconds: such runs depend on the machine they run on; give the budget in "
      "flops, tokens, steps or epochs");
  BatchWork work;
  std::error_code code;
  work.program = fs::read_symlink(this_program(), code).string();
  base::require(!code, "cannot find the program isodrop: ", code.message());
  work.folder = full_path(options.folder);
  work.store = full_path(session.options().store);
  if (session.options().other_builds) work.flags += " --other-builds";
  if (runs.needs_weights()) work.flags += " --keep-weights";
  work.runs = std::ssize(specs);
  add_needs(work,
            dry_run(session.judged(), planned_jobs(runs, session.options()), session.search()));
  std::string text;
  for (const std::string& spec : specs) text += spec + "\n";
  work.list = list_name(specs);
  base::write_atomically(options.folder / work.list, text);
  base::write_atomically(options.folder / system.file, system.script(work));
}

constexpr double kFirstLook = 1, kMostBetween = 30;  // seconds between two looks at the queue
constexpr int kMostFailures = 20;                    // of squeue in a row, ten minutes or so

struct Said {
  std::string out;
  Ending end;
};

/// Runs a command to its end. Throws Interrupted.
Said ask(Processes& processes, const std::vector<std::string>& words) {
  std::vector<std::string> command = {"/usr/bin/env"};
  command.insert(command.end(), words.begin(), words.end());
  processes.start(0, command);
  Said said;
  for (;;) {
    const auto news = processes.wait();
    if (!news) continue;
    if (news->end) return said.end = *news->end, said;
    said.out += news->line + "\n";
  }
}

std::string submit(Processes& processes, const std::string& script) {
  const Said said = ask(processes, {"sbatch", "--parsable", script});
  base::require(said.end.code == 0 && said.end.signal == 0, "sbatch ", script, ": ",
                said.end.reason(), "; nothing was submitted");
  const std::string job = said.out.substr(0, said.out.find_first_of(";\n"));  // JOB;CLUSTER
  base::require(!job.empty() && job.find_first_not_of("0123456789") == std::string::npos, "sbatch ",
                script, ": says ", base::quote(said.out), ", which is not a job id");
  return job;
}

/// "3 PENDING, 2 RUNNING"; empty: the job is no longer in the queue; nothing if Slurm does not
/// answer.
std::optional<std::string> queue(Processes& processes, const std::string& job, std::string& why) {
  const Said said =
      ask(processes, {"squeue", "--noheader", "--array", "--jobs", job, "--format", "%T"});
  if (said.end.code != 0 || said.end.signal != 0) {
    why = said.end.reason();
    // So it says of a job that ended some minutes ago.
    if (why.find("Invalid job id") != std::string::npos) return "";
    return {};
  }
  std::map<std::string, int> states;
  for (std::size_t at = 0; at < said.out.size();) {
    const std::size_t end = said.out.find('\n', at);
    ++states[said.out.substr(at, end - at)];
    at = end + 1;
  }
  std::string text;
  for (const auto& [state, count] : states)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  return text;
}

}  // namespace

PlanWritten write_plan(const Session& session, const PlanOptions& options) {
  const StudyRuns& runs = session.next();
  base::make_folder(options.folder);
  PlanWritten written{.tuning = session.tuning(), .runs = runs.count()};
  std::vector<std::string> specs;
  for (const Point& point : runs.missing()) {
    const std::string& id = runs.id(point);
    specs.push_back(id + ".json");
    base::write_json(options.folder / specs.back(), to_json(runs.spec(id)));
  }
  written.specs = specs.size();
  if (options.system.empty() || specs.empty()) return written;
  const BatchSystem& system = batch_system(options.system);
  write_script(session, options, system, specs);
  written.start = system.start;
  written.script = options.folder / system.file;
  return written;
}

MissingRuns missing_runs(const Session& session) {
  const StudyRuns& runs = session.next();
  MissingRuns out{.runs = runs.count(), .tuning = session.tuning()};
  for (const Point& point : runs.missing()) {
    const std::string& id = runs.id(point);
    out.missing.emplace_back(id, runs.label(point));
    if (const auto record = runs.store().find(id); record && !usable(*record, false))
      ++out.other_builds[to_string(record->build)];
  }
  return out;
}

Json to_json(const MissingRuns& m) {
  Json json = {{"runs", m.runs},
               {"tuning", m.tuning},
               {"missing", Json::array()},
               {"other_builds", Json::object()}};
  for (const auto& [id, label] : m.missing)
    json["missing"].push_back({{"id", id}, {"label", label}});
  for (const auto& [build, count] : m.other_builds) json["other_builds"][build] = count;
  return json;
}

std::string render_text(const MissingRuns& m) {
  std::string out =
      fmt::format("{} of {} {} done, {} missing\n", m.runs - m.missing.size(),
                  base::counted(m.runs, m.tuning ? "tuning run" : "run"),
                  base::are(m.runs == 1 ? 1 : m.runs - m.missing.size()), m.missing.size());
  for (std::size_t i = 0; i < std::min(kMostNamed, m.missing.size()); ++i)
    out += fmt::format("  {}  {}\n", m.missing[i].first, m.missing[i].second);
  if (m.missing.size() > kMostNamed)
    out += fmt::format("  and {} more\n", m.missing.size() - kMostNamed);
  for (const auto& [build, count] : m.other_builds)
    out += fmt::format(
        "{} of the missing runs {} there from another build ({}); --other-builds "
        "takes them\n",
        count, base::are(static_cast<std::uint64_t>(count)), build);
  return out + fmt::format(
                   "Next: --plan DIR writes the missing runs as specs, and with --engine "
                   "a script{}\n",
                   m.tuning ? "; the judged runs come after the tuning" : "");
}

namespace {

/// Submits the missing runs of session.next() and waits until the job has ended.
void submit_and_wait(const Session& session, const PlanOptions& options, Observer& observer) {
  const PlanWritten plan = write_plan(session, options);
  Processes processes;
  const std::string job = submit(processes, plan.script.string());
  observer.note(fmt::format("submitted {} as Slurm job {}",
                            base::counted(plan.specs, plan.tuning ? "tuning run" : "run"), job));
  double pause = kFirstLook;
  int failures = 0;
  std::string why;
  try {
    for (;;) {
      // A process that sleeps: its end or a signal to us, whichever comes first.
      ask(processes, {"sleep", fmt::format("{:.1f}", pause)});
      const auto states = queue(processes, job, why);
      if (states && states->empty()) break;
      failures = states ? 0 : failures + 1;
      base::require(failures < kMostFailures, "squeue: ", why, "; Slurm job ", job,
                    " may still run; --collect collects its results");
      observer.started(fmt::format("Slurm job {}: {}", job, states ? *states : "squeue: " + why));
      pause = std::min(pause * 1.5, kMostBetween);
    }
  } catch (const Interrupted&) {
    observer.note(
        fmt::format("Slurm job {} keeps running ('scancel {}' ends it); run the same command with "
                    "--collect instead of --plan, --engine and --submit to use its runs",
                    job, job));
    throw;
  }
}

}  // namespace

void submit_all(Session& session, const PlanOptions& options, Observer& observer) {
  session.choose();
  while (!session.next().missing().empty()) {
    submit_and_wait(session, options, observer);
    session.look_again();
  }
}

}  // namespace lab
