// The corpus of a run, and one for timing.
#pragma once
#include "data/text/corpus.h"
#include "train/config/settings.h"

namespace train {

/// The text of settings.text; without one the built-in corpus with texts of settings.seed and, if
/// settings.language is "seeded", a language of that seed. Throws base::Error.
data::Corpus load_corpus(const Settings& settings);

/// Training tokens of the built-in corpus: settings.unique_tokens, or if that is 0 twice what the
/// whole budget reads, at least 2^20, so that random crops are fresh.
std::int64_t fresh_tokens(const Settings& settings);

/// Uniform random tokens with the preset's vocabulary, always the same: a step costs the same on
/// any text.
data::Corpus random_corpus(const Settings& settings);

}  // namespace train
