// Token ids of a training, a validation and a test split. Tuning, early stopping and checkpoints
// use validation; verdicts use test.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/text_files.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace data {

struct WordHmm;  // synthetic.h

/// A split that nothing is trained on.
struct HeldOut {
  Tokens ids;
  // nats / (this · ln 2) = bits per byte; not known for ids without a tokenizer.
  std::optional<double> bytes_per_token = 1;
};

struct Corpus {
  std::string name;        // the file's path, or the built-in generator's name
  std::string tokenizer;   // "byte", "char", "sp", "gpt2", "ids"
  std::int64_t vocab = 0;  // V: every id is in [0, V)
  Tokens train;
  HeldOut val, test;  // no test split: `test` has no ids
  // Of the built-in corpus: best possible loss on `test` in nats per token, with all text before
  // and with T tokens of context (see bayes.h).
  std::optional<double> bayes_loss, bayes_loss_window;
  std::shared_ptr<const WordHmm> language;  // of the built-in corpus, whose symbols are its pieces
  // Whether each seed has its own held-out texts; these are one seed's.
  bool own_texts = false;
  std::string hash;    // of tokenizer, vocabulary and splits, or of what generates them; no name
  TokenizerPtr codec;  // null of random tokens

  /// Error for a symbol that the corpus lacks, with its offset.
  std::vector<std::int32_t> encode(std::string_view text) const { return codec->encode(text); }
  std::string decode(TokenSpan ids) const {
    return codec->decode(std::vector<std::int32_t>(ids.begin(), ids.end()));
  }
  /// id -> bytes, (V); empty if not known.
  const std::vector<std::string>& pieces() const;
};

/// Where the splits of a text come from: files of their own, or fractions of the text's tokens, cut
/// off its end in the order training, validation, test.
struct TextSplits {
  std::string text, val, test;  // paths; empty: cut off the text
  double val_fraction = 0.1, test_fraction = 0.1;
  std::string bin_type = "auto";  // of ids, as map_tokens() takes it
};

/// A corpus from text or token ids. The vocabulary of char and byte covers all splits; sp:VOCAB is
/// trained on the training split alone. Training has the first floor(n·(1 − fractions)) of n
/// characters (bytes for byte, ids for a .bin), so that all tokenizers are tested on the same text;
/// with test_fraction 0 this is the split of nanoGPT's data/shakespeare_char/prepare.py. Errors:
/// what read_text(), map_tokens() or the tokenizer refuse, fractions that leave no training text,
/// splits that share a file or contents, a split of fewer than block_size + 1 tokens, ids outside
/// the vocabulary.
Corpus load_text(const TextSplits& splits, const std::string& tokenizer, std::int64_t block_size);

/// The ids of a text. Throws base::Error if they do not fit in memory, and what the tokenizer
/// refuses.
Tokens encode_text(const Tokenizer& codec, std::string_view text, const std::string& name,
                   Memory memory = memory_left);

/// Mean bytes per token; nothing if the tokenizer does not know.
std::optional<double> bytes_per_token(TokenSpan ids, const Tokenizer& codec);
/// Sets vocab, bytes per token and hash of a corpus from its ids, and the tokenizer if it is
/// number_tokenizer( kMostIds). Throws base::Error for ids outside the vocabulary.
void complete(Corpus& corpus);

/// Corpus::hash of a text: XXH3-128 in 32 hex digits, the same on every machine. One pass over the
/// ids.
std::string hash_corpus(const Corpus& corpus);

/// Share of held-out text that is also in the training split, byte by byte: min(4096, ⌊n / 64⌋)
/// windows of 64 bytes (ids, without a tokenizer), spread evenly over n bytes, found by 64-bit
/// hashes. Nothing for the built-in corpus and for text shorter than a window. One pass over the
/// training split.
std::optional<double> share_in_training(const Corpus& corpus, const HeldOut& split);  // overlap.cpp

}  // namespace data
