#include "lab/batch/batch_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace lab {
namespace {

/// One word of a shell.
std::string quoted(const std::string& text) {
  base::require(text.find('\n') == std::string::npos, base::quote(text),
                ": a script cannot hold a path with a line end; choose another one");
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// How every script begins, with `text` as what it says of itself.
std::string head(const BatchWork& work, const std::string& text) {
  return fmt::format(
      "#!/bin/bash\n"
      "# Makes the {} that {} names, written by isodrop. {}\n"
      "# A run takes at most about {:.3g} s with {}, and {:.0f} MB.\n"
      "# Set ISODROP if the program is elsewhere, THREADS for another number of threads per run.\n",
      base::counted(static_cast<std::uint64_t>(work.runs), "run"), work.list, text, work.seconds,
      base::counted(static_cast<std::uint64_t>(work.threads), "thread"), work.bytes / 1e6);
}

std::string variables(const BatchWork& work, const std::string& threads) {
  return fmt::format(
      "cd -- {} || exit\n"
      "isodrop=${{ISODROP:-{}}}\n"
      "threads=${{THREADS:-{}}}\n",
      quoted(work.folder.string()), quoted(work.program), threads);
}

std::string run_list(const BatchWork& work, const std::string& more) {
  return fmt::format("\"$isodrop\" run --list {} --store {} --threads \"$threads\"{}{}",
                     quoted(work.list), quoted(work.store.string()), work.flags, more);
}

std::string slurm(const BatchWork& work) {
  const std::int64_t tasks = std::min(work.runs, kMostTasks),
                     each = (work.runs + tasks - 1) / tasks;
  const double seconds = kTimeMargin * static_cast<double>(each) * work.seconds + kMoreSeconds,
               bytes = kMemoryMargin * work.bytes + kMoreBytes;
  std::string log = (work.folder / "slurm-%A_%a.log").string();
  base::require(work.folder.string().find_first_of("%\"\\\n") == std::string::npos,
                base::quote(work.folder.string()),
                ": Slurm would read %, \" and \\ in it as signs of its own; choose another --plan");
  return head(work, fmt::format("sbatch submit.sh; its flags override the lines below.\n"
                                "# Asked for are {} x the time of {} run{} and {} min, {} x the "
                                "memory and {} MB.",
                                kTimeMargin, each, each == 1 ? "" : "s", kMoreSeconds / 60,
                                kMemoryMargin, static_cast<int>(kMoreBytes) >> 20)) +
         fmt::format(
             "#SBATCH --job-name=isodrop\n"
             "#SBATCH --array=0-{}\n"
             "#SBATCH --ntasks=1\n"
             "#SBATCH --cpus-per-task={}\n"
             "#SBATCH --mem={:.0f}M\n"
             "#SBATCH --time={}\n"
             "#SBATCH --requeue\n"
             "#SBATCH --open-mode=append\n"
             "#SBATCH --output=\"{}\"\n",
             tasks - 1, work.threads, std::ceil(bytes / (1 << 20)), slurm_time(seconds), log) +
         variables(work, fmt::format("${{SLURM_CPUS_PER_TASK:-{}}}", work.threads)) + "exec " +
         run_list(work, fmt::format(" --part \"$SLURM_ARRAY_TASK_ID/{}\"", tasks)) + "\n";
}

std::string gnu_parallel(const BatchWork& work) {
  // It replaces {} and its like in a command wherever they stand.
  for (const std::string& path : {work.folder.string(), work.store.string(), work.program})
    base::require(path.find('{') == std::string::npos, base::quote(path),
                  ": GNU parallel would replace the bracket in it; choose another path");
  const std::string name = std::filesystem::path(work.list).stem().string();
  return head(
             work,
             "On several machines: bash parallel.sh\n"
             "# --sshloginfile HOSTS (one [CORES/]HOST a line; this folder, the store and isodrop\n"
             "# are at the same paths there). More flags of parallel likewise, as --jobs. Called\n"
             "# again, it makes what is not done.") +
         variables(work, fmt::format("{}", work.threads)) +
         fmt::format(
             "store={}\n"
             "run=\"$(printf %q \"$isodrop\") run $(printf %q \"$PWD\")/{{}} --store $(printf %q "
             "\"$store\") --threads $threads{}\"\n"
             "# Exit code 3 is a run that diverged, which is a result.\n"
             "exec parallel --jobs {} --joblog {} --resume-failed --retries 3 \"$@\" "
             "\"$run || test \\$? -eq 3\" :::: {}\n",
             quoted(work.store.string()), work.flags, work.at_once, quoted(name + ".joblog"),
             quoted(work.list));
}

std::string mpi(const BatchWork& work) {
  return head(work,
              fmt::format(
                  "bash mpi.sh FLAGS OF MPIRUN, as\n"
                  "# -n 8 --hostfile HOSTS (default: -n {}). Each rank begins with its own part of "
                  "the list and\n# then helps the others; no MPI library is needed.",
                  work.at_once)) +
         variables(work, fmt::format("{}", work.threads)) +
         fmt::format("[ $# -gt 0 ] || set -- -n {}\n", work.at_once) +
         "# mpirun ends all ranks where one ends with an error: it is said, and what that rank "
         "left is "
         "made\n# in the end.\n"
         "mpirun \"$@\" sh -c '\"$@\" || echo \"a rank on $(hostname) ended with exit code $?\" "
         ">&2' rank "
         "\\\n  " +
         run_list(work, "") + "\nexec " + run_list(work, " --part 0/1") + "\n";
}

}  // namespace

void add_needs(BatchWork& work, const DryRun& plan) {
  const auto at_once = static_cast<double>(plan.jobs.count);
  for (const auto& [arm, share] : plan.missing) {
    const RunEstimate& e = plan.arms[arm];
    work.seconds = std::max(work.seconds, e.seconds() * share * at_once / plan.jobs.speedup);
    work.bytes = std::max(work.bytes, static_cast<double>(e.memory.total()));
  }
  work.at_once = plan.jobs.count;
  work.threads = std::max<std::int64_t>(1, plan.jobs.threads / plan.jobs.count);
}

std::span<const BatchSystem> batch_systems() {
  static constexpr BatchSystem kSystems[] = {
      {"slurm", "an array job for sbatch", "submit.sh", "sbatch ", slurm},
      {"parallel", "GNU parallel, here or over ssh", "parallel.sh", "bash ", gnu_parallel},
      {"mpi", "ranks of mpirun that share a list", "mpi.sh", "bash ", mpi}};
  return kSystems;
}

const BatchSystem& batch_system(std::string_view name) {
  std::vector<std::string_view> names;
  for (const BatchSystem& e : batch_systems()) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw base::Error(fmt::format("--engine {}: {}", base::quote(name), base::suggest(name, names)));
}

std::string slurm_time(double seconds) {
  const auto minutes = static_cast<std::int64_t>(std::ceil(seconds / 60));
  return fmt::format("{}-{:02}:{:02}:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
}

}  // namespace lab
