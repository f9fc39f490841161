// Any text as what a finished language model is examined on, in the vocabulary of its run.
#pragma once
#include <string>

#include "train/data/corpus.h"
#include "train/run_files.h"

namespace train {

/// The tokenizer that data.json describes, with the file beside it where it has one. Trusts
/// nothing: throws engine::Error naming the run's folder.
TokenizerPtr tokenizer_of(const SavedRun& run);

/// A corpus whose validation and test splits are the whole text (what read_text() takes), or the
/// ids of a .bin; nothing is to be trained on. Throws engine::Error: what read_text() and
/// map_tokens() refuse, a run of another task, a symbol that the run's vocabulary lacks, with its
/// offset, a text of one token.
Corpus held_out_text(const SavedRun& run, const std::string& path);

}  // namespace train
