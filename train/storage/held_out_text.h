// Evaluating a finished language model on any text.
#pragma once
#include <string>

#include "data/text/corpus.h"
#include "train/storage/run_files.h"

namespace train {

/// The tokenizer of data.json and the file beside it. Trusts nothing: throws base::Error naming the
/// folder.
data::TokenizerPtr tokenizer_of(const SavedRun& run);

/// The settings with the run's own copy of the tokenizer, if there is one: the original may be
/// gone.
Settings with_own_tokenizer(const BegunRun& run, Settings settings);

/// A corpus for evaluation only, whose validation and test splits are the whole text (as
/// read_documents() takes it) or the ids of a .bin. <|endoftext|> separates documents if the
/// vocabulary allows it. Throws base::Error: what read_documents() and map_tokens() refuse, a run
/// of another task, a symbol outside the vocabulary (with file and offset), a text of one token.
data::Corpus held_out_text(const SavedRun& run, const std::string& path,
                           std::string_view bin_type = "auto");

}  // namespace train
