// The corpus that the settings name.
#pragma once
#include "data/text/corpus.h"
#include "train/config/settings.h"

namespace train {

/// The text of settings.text, or where there is none the built-in corpus with texts of
/// settings.seed and, where settings.language is "seeded", a language of it too. Throws
/// base::Error.
data::Corpus load_corpus(const Settings& settings);

/// Training tokens of the built-in corpus: settings.unique_tokens, or where that is 0 enough for
/// random crops to be fresh: twice what the whole budget reads (the same for every share of it),
/// at least 2^20.
std::int64_t fresh_tokens(const Settings& settings);

}  // namespace train
