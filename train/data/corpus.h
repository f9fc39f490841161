// What a model learns from and is judged by: token ids of a training, a validation and a test
// split. Whatever chooses (tuning, stopping, checkpoints) sees validation, verdicts are on test.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/tokenizer/tokenizer.h"

namespace train {

struct WordHmm;  // synthetic.h

/// A split that nothing is trained on.
struct HeldOut {
  std::vector<std::int32_t> ids;
  double bytes_per_token = 1;  // nats / (this · ln 2) = bits per byte
};

struct Corpus {
  std::string name;        // the file's path, or the built-in generator's name
  std::string tokenizer;   // "byte" or "char"
  std::int64_t vocab = 0;  // V: every id is in [0, V)
  std::vector<std::int32_t> train;
  HeldOut val, test;  // no test split: `test` has no ids
  // Known for the built-in corpus only, nats per token of `test`: the least any model can reach,
  // and the least for one that sees a window of T tokens alone (see synthetic_filter.h).
  std::optional<double> bayes_loss, bayes_loss_window;
  std::shared_ptr<const WordHmm> language;  // of the built-in corpus, whose symbols are its pieces
  // Whether every seed has held-out texts of its own, which these are of one.
  bool own_texts = false;
  std::string hash;  // of tokenizer, vocabulary and splits, or of what generates them; no name
  Tokenizer codec;

  /// Prompts to ids; Error for a symbol the corpus lacks, with its offset.
  std::vector<std::int32_t> encode(std::string_view text) const { return codec.encode(text); }
  std::string decode(std::span<const std::int32_t> ids) const { return codec.decode(ids); }
  /// id -> bytes, (V).
  const std::vector<std::string>& pieces() const { return codec.pieces(); }
};

/// Reads a whole file, also from a pipe. Error when there is no such file, it is a folder or a
/// device, it cannot be read, is empty, or is larger than `max_bytes`.
std::string read_text(const std::string& path, std::int64_t max_bytes = std::int64_t{1} << 31);

/// Where the splits of a text come from. A path is a file of its own; a fraction is a share of the
/// text's tokens, cut off its end: first training, then validation, then test.
struct TextSplits {
  std::string text, val, test;  // paths; empty: cut off the text
  double val_fraction = 0.1, test_fraction = 0.1;
};

/// A corpus from text files. The vocabulary is that of all splits together. Of n tokens training
/// has the first floor(n·(1 − fractions)); with a test fraction of 0 that is the split of nanoGPT's
/// data/shakespeare_char/prepare.py, and there is no test split.
/// Errors: what read_text refuses, invalid UTF-8 (kChar), fractions that leave nothing to train on,
/// the same file given as two splits, a split of fewer than block_size + 1 tokens.
Corpus load_text(const TextSplits& splits, TokenizerKind kind, std::int64_t block_size);

/// Corpus::hash of a text: 32 hex digits (XXH3-128), the same on every machine.
std::string hash_corpus(const Corpus& corpus);

}  // namespace train
