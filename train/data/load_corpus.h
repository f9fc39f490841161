// The corpus that the settings name.
#pragma once
#include "train/data/corpus.h"
#include "train/settings.h"

namespace train {

/// The text of settings.text, or where there is none the built-in corpus with
/// fresh_tokens(settings) training tokens. Throws engine::Error.
Corpus load_corpus(const Settings& settings);

/// Training tokens of the built-in corpus: settings.corpus_tokens, or where that is 0 enough that
/// none is seen twice unless it is meant to be: what the budget reads, twice a stretch of unique
/// tokens (so that seeds take different ones), at least 2^20.
std::int64_t fresh_tokens(const Settings& settings);

}  // namespace train
