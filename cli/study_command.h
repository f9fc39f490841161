// A session from the command line: what `compare`, `study`, `advise` and `train --compare` share.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "lab/batch/plan.h"
#include "lab/report/report.h"
#include "lab/report/study_result.h"
#include "lab/session/session.h"
#include "lab/study/dry_run.h"

namespace cli {

/// What the flags of such a command say.
struct StudyOptions {
  lab::SessionOptions session;
  std::string format;                // of the result
  bool verbose = false;              // as text: all there is to say
  bool dry = false;                  // say what it takes and train nothing
  std::optional<double> time_limit;  // seconds that all runs may take
  std::filesystem::path html;        // the page; empty: report.html in the session's folder
  lab::PlanOptions plan;             // where specs are written; empty: runs are made here
  bool submit = false;               // submit the script, wait and go on
  bool collect = false;              // make no run: report, or say what is missing
  std::vector<std::filesystem::path> collect_from = {};  // stores whose runs are taken first
};

inline constexpr int kNoRun = 1;  // exit code: a run could not be made

/// The flags that study_options() reads: --jobs, --store, --html, --plan, --other-builds,
/// --keep-weights, --dry-run. `only_with`: a flag without which they do nothing.
std::vector<Extra> study_flags(std::string_view only_with = {});
/// For a command whose runs cannot be planned at once: without --plan.
std::vector<Extra> study_flags_without_plan();
/// --engine, --submit and --collect, for commands whose runs others may make.
std::vector<Extra> engine_flags();
/// --verbose.
Extra verbose_flag();
/// Throws base::Error.
StudyOptions study_options(const Parsed& args);
/// Says where the page is.
void print_page(const std::filesystem::path& page, const StudyOptions& options);
/// --html, or report.html in the folder.
std::filesystem::path page_path(const std::filesystem::path& folder, const StudyOptions& options);

/// Takes up the runs of StudyOptions::collect_from and says so. Throws base::Error.
void take_up_stores(const StudyOptions& options);

/// Runs a study as the options say; `judged` gets the report, its JSON and the page's path, and
/// prints them. Exit code: 1 if a run could not be made or is missing.
using Judged =
    std::function<int(lab::Report report, lab::Json json, const std::filesystem::path& page)>;
int run_study(lab::Study study, const StudyOptions& options, const Judged& judged);
/// The same, and prints the report.
int run_study(lab::Study study, const StudyOptions& options);

/// Prints it, then throws base::Error if it does not fit in memory. Exit code.
int show_dry_run(const lab::DryRun& plan, const std::string& format);

/// $ISODROP_STUDIES; else, where the program is installed, share/isodrop/studies beside its bin/;
/// else the source tree's.
std::filesystem::path studies_folder();

/// A file as it is given; a name without a folder that is no file here is one of studies_folder(),
/// with or without ".toml".
std::filesystem::path study_file(const std::string& given);

/// Throws base::Error if --publish would replace what it did not write.
void check_publish(const std::filesystem::path& folder, const std::vector<lab::StudyFile>& files);
void print_study(const lab::StudyResult& result, const StudyOptions& options);
void print_studies(lab::Json results);
/// The page of all studies of isodrop's own that are published there.
void write_index(const std::filesystem::path& folder);
/// From what was published, without a run; with --publish the pages again. Exit code.
int study_again(const std::vector<lab::StudyFile>& files, const StudyOptions& options,
                const Parsed& args);

}  // namespace cli
