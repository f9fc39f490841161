// Running a comparison from the command line; `train --compare` shares it.
#pragma once
#include <string>

#include "lab/comparison.h"
#include "lab/dry_run.h"

namespace cli {

/// Loads the corpus, makes the runs that are missing and prints the report; `dry`: says what they
/// will take instead. Exit code.
int run_comparison(lab::ComparisonSpec spec, const std::string& format, bool dry);

/// Prints it, then throws engine::Error where it does not fit in memory. Exit code.
int show_dry_run(const lab::DryRun& plan, const std::string& format);

/// Training tokens the built-in corpus needs so that no arm sees one twice unless it is meant to.
std::int64_t fresh_tokens(const lab::ComparisonSpec& spec);

}  // namespace cli
