// Running a comparison from the command line; `train --compare` shares it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "cli/options.h"
#include "lab/study/comparison.h"
#include "lab/study/dry_run.h"

namespace cli {

/// What `compare` and `train --compare` share beside the settings.
struct CompareOptions {
  std::optional<std::int64_t> jobs;  // runs at once; not set: auto
  std::string format;                // of the result
  bool dry = false;                  // say what it will take, and train nothing
};

/// Reads --jobs, --format and --dry-run; throws engine::Error.
CompareOptions compare_options(const Parsed& args);

/// The flag --jobs.
Extra jobs_flag();

/// Loads the corpus, makes the runs that are missing and prints the report, or with `dry` what they
/// will take. Exit code: 1 where no run at all could be made.
int run_comparison(lab::ComparisonSpec spec, const CompareOptions& options);

/// Prints it, then throws engine::Error where it does not fit in memory. Exit code.
int show_dry_run(const lab::DryRun& plan, const std::string& format);


}  // namespace cli
