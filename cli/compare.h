// Running a comparison from the command line; `train --compare` shares it.
#pragma once
#include <string>

#include "lab/comparison.h"

namespace cli {

/// Loads the corpus, makes the runs that are missing and prints the report. Exit code.
int run_comparison(lab::ComparisonSpec spec, const std::string& format);

/// Training tokens the built-in corpus needs so that no arm sees one twice unless it is meant to.
std::int64_t fresh_tokens(const lab::ComparisonSpec& spec);

}  // namespace cli
