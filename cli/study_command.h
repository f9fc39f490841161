// Running a study from the command line: what `compare` and `train --compare` share.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/options.h"
#include "lab/report/report.h"
#include "lab/study/dry_run.h"
#include "lab/study/study.h"

namespace cli {

struct StudyOptions {
  std::optional<std::int64_t> jobs;  // runs at once; not set: auto
  std::string format;                // of the result
  bool dry = false;                  // say what it will take, and train nothing
  std::filesystem::path store;
  std::filesystem::path out;         // folder of the study; empty: named after it
  std::optional<double> time_limit;  // seconds that all runs may take
  std::filesystem::path html;        // where the page goes; empty: report.html in that folder
  std::filesystem::path plan;  // write the missing specs there and make none; empty: make them
  std::string engine;          // whose script is written, too; empty: none
  bool submit = false;         // the script, wait for it and go on
  bool collect = false;        // make no run: report what is there, or say what is missing
  std::vector<std::filesystem::path> collect_from = {};  // stores whose runs are taken up before
  bool other_builds = false;
  bool keep_weights = false;  // of the judged runs
};

inline constexpr int kNoRun = 1;  // exit code: a run could not be made

/// The flags that are read by study_options(): --jobs, --store, --html, --plan, --other-builds,
/// --keep-weights, --dry-run.
/// `only_with`: a flag without which they do nothing.
std::vector<Extra> study_flags(std::string_view only_with = {});
/// Of a command whose runs cannot be planned at once: without --plan.
std::vector<Extra> study_flags_without_plan();
/// --engine, --submit and --collect, of commands whose runs others may make.
std::vector<Extra> engine_flags();
/// Where the page goes: --html, or report.html in the folder.
std::filesystem::path page_path(const std::filesystem::path& folder, const StudyOptions& options);
/// Throws base::Error.
StudyOptions study_options(const Parsed& args);

/// What came of a study: a report, or an exit code alone (a dry run, a plan, nothing made).
struct StudyMade {
  StudyMade(int exit_code = 0) : code(exit_code) {}
  int code;
  std::optional<lab::Report> report;
  lab::Json json;              // of the report
  std::filesystem::path page;  // where its pictures go
};
/// Makes the runs that are missing, after those of the tuning.
StudyMade make_study(lab::Study study, const StudyOptions& options);

/// The same, and prints the report, or with `dry` what the runs will take.
/// Exit code: 1 where no run at all could be made.
int run_study(lab::Study study, const StudyOptions& options);

/// Prints it, then throws base::Error where it does not fit in memory. Exit code.
int show_dry_run(const lab::DryRun& plan, const std::string& format);

}  // namespace cli
