// `isodrop run --list`: many specs, shared with whoever else is at them.
#pragma once
#include "cli/options.h"

namespace cli {

/// Makes them. Exit code: 0, kNoRun, or lab::kRunBusy.
int run_list(const Parsed& args);

}  // namespace cli
