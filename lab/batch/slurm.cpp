// --submit: Slurm's own commands, asked seldom.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "lab/batch/batch_system.h"
#include "lab/batch/plan.h"
#include "lab/runs/processes.h"

namespace lab {
namespace {

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
                script, ": says ", base::quote(said.out), ", which is no job id");
  return job;
}

/// "3 PENDING, 2 RUNNING"; empty: the job is no longer in the queue; nothing where Slurm does not
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
                    " may go on; --collect takes up what it makes");
      observer.started(fmt::format("Slurm job {}: {}", job, states ? *states : "squeue: " + why));
      pause = std::min(pause * 1.5, kMostBetween);
    }
  } catch (const Interrupted&) {
    observer.note(
        fmt::format("Slurm job {} goes on ('scancel {}' ends it); run the same command with "
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
