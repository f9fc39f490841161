// The corpus that the settings name.
#pragma once
#include "train/data/corpus.h"
#include "train/settings.h"

namespace train {

/// The text of settings.text, or the built-in corpus with at least `fresh_tokens` training tokens
/// where there is none. Throws engine::Error.
Corpus load_corpus(const Settings& settings, std::int64_t fresh_tokens);

/// V of the built-in corpus.
std::int64_t synthetic_vocabulary();

}  // namespace train
