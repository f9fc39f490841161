// The flags of what makes a study's runs, and what they say.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/output_file.h"
#include "cli/study_command.h"
#include "lab/batch/batch_system.h"
#include "lab/study/dry_run.h"

namespace cli {

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
      {"keep-weights",
       "",
       "",
       "keep the final weights of the judged runs in the store; runs that are there without are "
       "made again",
       false,
       {},
       only_with},
      {"dry-run", "", "", "say what it will take (memory, FLOPs, time) and train nothing"}};
}

std::vector<Extra> engine_flags() {
  return {{"engine",
           "ENGINE",
           "",
           "also a script there that makes them: slurm (sbatch), parallel (GNU parallel, here or "
           "over ssh), mpi (mpirun)",
           false,
           {"slurm", "parallel", "mpi"},
           "plan"},
          {"submit",
           "",
           "",
           "submit it to Slurm, wait, and go on: judged runs after those of the tuning, then the "
           "report",
           false,
           {},
           "engine"},
          {"collect",
           "",
           "",
           "make no run: report where all are there, and say what is missing otherwise",
           false,
           {},
           {},
           "plan"}};
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
  options.dry = args.has("dry-run");
  options.session.store = store_path(args);
  options.session.out = args.text("out");
  if (args.knows("plan")) options.plan.folder = args.text("plan");
  if (args.knows("engine")) {
    if (args.has("engine")) options.plan.system = args.text("engine");
    options.submit = args.has("submit");
    options.collect = args.has("collect");
    base::require(!options.submit || options.plan.system == "slurm", "--submit with --engine ",
                  options.plan.system, ": it is for slurm alone; start the script yourself");
    base::require(!options.dry || !options.collect,
                  "--collect with --dry-run: one looks at what is there, the other at what it "
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
                " with --dry-run: one writes specs, the other nothing; give one of them");
  const std::string& jobs = args.text("jobs");
  if (jobs == "auto") return options;
  std::int64_t count = 0;
  base::require(base::parse_number(jobs, count) == std::errc{}, "--jobs ", base::quote(jobs),
                ": give auto or a whole number");
  options.session.jobs = lab::given_jobs(count, args.settings).count;
  return options;
}

}  // namespace cli
