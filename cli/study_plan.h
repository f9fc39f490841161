// What --plan, --engine, --submit and --collect do for a study whose runs others make.
#pragma once
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/study/dry_run.h"
#include "lab/study/tuning.h"

namespace cli {

/// Writes the specs of the missing runs into --plan and, for --engine, the list and the script that
/// make them; `tuning`: whose runs come first. Exit code.
int write_plan(const lab::StudyRuns& runs, const StudyOptions& options,
               const lab::GridSearch* tuning);

/// Takes up other stores' runs and says so. Throws base::Error.
void take_up_stores(const StudyOptions& options);

/// Says which runs are missing, and what comes next; of `tuning`, that judged ones come after it.
/// Exit code.
int say_missing(const lab::StudyRuns& runs, const StudyOptions& options, bool tuning);

/// Submits the missing runs to Slurm and waits until its job has ended, whatever came of it. Throws
/// lab::Interrupted, with the job left to run, and base::Error.
void submit_and_wait(const lab::StudyRuns& runs, const StudyOptions& options,
                     const lab::GridSearch* tuning, ProgressLine& line);

}  // namespace cli
