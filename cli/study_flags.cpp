// The flags of the commands that make a study's runs.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/files.h"
#include "cli/study_command.h"
#include "lab/batch/batch_system.h"
#include "lab/study/dry_run.h"

namespace cli {

std::vector<Extra> study_flags(std::string_view only_with) {
  Extra store = store_flag();
  store.only_with = only_with;
  return {{.flag = "jobs",
           .hint = "N|auto",
           .fallback = "auto",
           .help = "make N runs at once, each in its own process on its share of the threads; auto "
                   "measures what finishes first. The results are the same",
           .only_with = only_with,
           .not_with = "plan"},
          store,
          {.flag = "html",
           .hint = "FILE",
           .help = "the report as a page with charts, rewritten after every run (default: "
                   "report.html in the report's folder)",
           .only_with = only_with},
          {.flag = "plan",
           .hint = "DIR",
           .help = "write a spec for every missing run, and make none",
           .only_with = only_with},
          {.flag = "other-builds",
           .help = "accept runs of another build of isodrop; the report says so",
           .only_with = only_with},
          {.flag = "keep-weights",
           .help = "keep the final weights of the judged runs in the store; existing runs without "
                   "weights are made again",
           .only_with = only_with},
          {.flag = "dry-run",
           .help = "show memory, FLOPs and time, and train nothing",
           .common = true}};
}

std::vector<Extra> engine_flags() {
  return {{.flag = "engine",
           .hint = "ENGINE",
           .help = "also write a script that makes the planned runs: slurm (sbatch), parallel (GNU "
                   "parallel, here or over ssh), mpi (mpirun)",
           .choices = {"slurm", "parallel", "mpi"},
           .only_with = "plan"},
          {.flag = "submit",
           .help = "submit the script to Slurm, wait, and go on to the report",
           .only_with = "engine"},
          {.flag = "collect",
           .help = "make no run: report if all runs exist, and list what is missing otherwise",
           .not_with = "plan"}};
}

Extra verbose_flag() {
  return {.flag = "verbose",
          .help = "show all columns, tests, tuning and provenance",
          .letter = "v",
          .common = true};
}

std::vector<Extra> study_flags_without_plan() {
  std::vector<Extra> flags = study_flags();
  std::erase_if(flags, [](const Extra& flag) { return flag.flag == "plan"; });
  for (Extra& flag : flags)
    if (flag.not_with == "plan") flag.not_with = {};
  return flags;
}

StudyOptions study_options(const Parsed& args) {
  StudyOptions options;
  options.format = args.text("format");
  options.verbose = args.knows("verbose") && args.has("verbose");
  options.dry = args.has("dry-run");
  options.session.store = store_path(args);
  options.session.out = args.text("out");
  if (args.knows("plan")) options.plan.folder = args.text("plan");
  if (args.knows("engine")) {
    if (args.has("engine")) options.plan.system = args.text("engine");
    options.submit = args.has("submit");
    options.collect = args.has("collect");
    base::require(!options.submit || options.plan.system == "slurm", "--submit with --engine ",
                  options.plan.system, ": only slurm has it; start the script yourself");
    base::require(!options.dry || !options.collect,
                  "--collect with --dry-run: one reports existing runs, the other what new ones "
                  "would take; give one of them");
  }
  if (!options.plan.system.empty() && !options.plan.folder.empty()) {
    const auto script = options.plan.folder / lab::batch_system(options.plan.system).file;
    refuse_others(script, "written by isodrop", "--plan: " + script.string());
  }
  if (args.knows("html")) {
    options.html = args.text("html");
    open_output(args, "html", kPageMark);  // refuses now what could not be written in the end
  }
  options.session.other_builds = args.has("other-builds");
  options.session.keep_weights = args.has("keep-weights");
  base::require(!options.dry || options.plan.folder.empty(), "--plan ",
                options.plan.folder.string(),
                " with --dry-run: one writes specs, the other writes nothing; give one of them");
  const std::string& jobs = args.text("jobs");
  if (jobs == "auto") return options;
  std::int64_t count = 0;
  base::require(base::parse_number(jobs, count) == std::errc{}, "--jobs ", base::quote(jobs),
                ": give auto or a whole number");
  options.session.jobs = lab::given_jobs(count, args.settings).count;
  return options;
}

}  // namespace cli
