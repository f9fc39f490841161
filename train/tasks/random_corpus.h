// Tokens for timing: what a step costs does not hang on the text.
#pragma once
#include "data/text/corpus.h"
#include "train/config/settings.h"

namespace train {

/// Uniform random tokens with the preset's vocabulary, the same ones every time.
data::Corpus random_corpus(const Settings& settings);

}  // namespace train
