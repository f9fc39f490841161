// One run of `isodrop train`, from wherever it is to its end: what a new one and a resumed one
// share.
#pragma once
#include <filesystem>
#include <string_view>

#include "base/measure.h"
#include "cli/options.h"
#include "cli/stop_signals.h"
#include "cli/terminal.h"
#include "cli/train_ranks.h"
#include "train/storage/run_files.h"
#include "train/trainer.h"

namespace cli {

// Exit codes of `train` beside 0 and 2; after a signal 128 + its number.
inline constexpr int kLost = 1, kDiverged = 3, kTimeLimit = 4, kUnwritten = 5;

inline constexpr std::string_view kCheckpointForms = "off, 500steps, 30s or 5min";

/// When the command began, and who may stop it. To be made before anything starts a thread.
struct TrainCommand {
  base::Stopwatch watch;
  StopSignals signals;
  Followers followers;
  ProgressLine line;  // the run's files write to it when they are closed, too
};

/// A run that is ready to go on.
struct ReadyRun {
  std::filesystem::path folder;
  train::Settings settings;  // as in its config.json
  const train::Task& task;
  train::Trainer& trainer;
  train::RunFiles& files;
};

/// Throws base::Error where a flag of train_to_end() is not right: before anything is written.
void check_train_flags(const Parsed& args);

/// Trains, keeps checkpoints, and ends the run's files and says what came of it; or stops, and says
/// how to go on. Exit code.
int train_to_end(const Parsed& args, TrainCommand& command, ReadyRun run);

/// `train --resume`: exit code. Throws base::Error where the folder holds no run that goes on
/// with these settings.
int resume_run(const Parsed& args, TrainCommand& command);

}  // namespace cli
