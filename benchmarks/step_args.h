// Flags and data the step benchmarks share.
#pragma once
#include "cli/options.h"
#include "train/trainer.h"

namespace bench {

struct StepArgs {
  train::Settings settings;
  int steps = 41;
  bool json = false, serve = false, describe = false;
};

/// Reads the settings' flags and --steps --format --serve --describe. Throws engine::Error.
StepArgs parse_step_args(int argc, char** argv);

/// Uniform random tokens with the preset's vocabulary: what a step costs does not hang on the text.
train::Corpus random_corpus(const train::Settings& settings);

}  // namespace bench
