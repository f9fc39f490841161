// Subwords of SentencePiece. sentencepiece.cpp is the only file that sees the library.
#pragma once
#include "data/tokenizer/tokenizer.h"

namespace data {

/// The bytes of a BPE model of `vocab` pieces: 256 single bytes, <|endoftext|>, characters, and
/// merges that stay within a line and a word. Nothing is normalised, so that any UTF-8 comes back
/// as it was. The same texts give the same bytes. Throws base::Error where the text has too few
/// or too many different characters for the vocabulary.
std::string train_sentencepiece(std::string_view text, std::int64_t vocab, std::string_view source);

/// A tokenizer from the bytes of a .model. Its ids are those of the library, but for a prefix that
/// the model puts before every text, which is left out. Throws base::Error naming `source` where
/// it is no model, or one that cannot give back every text (no byte fallback).
TokenizerPtr sentencepiece_tokenizer(std::string model, const std::string& source);

inline constexpr std::int64_t kLeastSubwords = 260, kMostSubwords = 1'000'000;

}  // namespace data
