// Tokens for timing: what a step costs does not hang on the text.
#pragma once
#include "train/data/corpus.h"
#include "train/settings.h"

namespace train {

/// Uniform random tokens with the preset's vocabulary, the same ones every time.
Corpus random_corpus(const Settings& settings);

}  // namespace train
