// Any text as what a finished language model is examined on, in the vocabulary of its run.
#pragma once
#include <string>

#include "data/text/corpus.h"
#include "train/storage/run_files.h"

namespace train {

/// The tokenizer that data.json describes, with the file beside it where it has one. Trusts
/// nothing: throws base::Error naming the run's folder.
data::TokenizerPtr tokenizer_of(const SavedRun& run);

/// Settings of the run with its own copy of the tokenizer, if it has one: the file that the setting
/// names may be gone.
Settings with_own_tokenizer(const BegunRun& run, Settings settings);

/// A corpus whose validation and test splits are the whole text (what read_documents() takes), or
/// the ids of a .bin; nothing is to be trained on. Between documents stands <|endoftext|>, or where
/// the run's vocabulary lacks one of its symbols nothing. Throws base::Error: what
/// read_documents() and map_tokens() refuse, a run of another task, a symbol that the run's
/// vocabulary lacks, with its file and offset, a text of one token.
data::Corpus held_out_text(const SavedRun& run, const std::string& path,
                           std::string_view bin_type = "auto");

}  // namespace train
