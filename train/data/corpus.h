// What a model learns from and is judged by: token ids of a training and a validation split.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/tokenizer/tokenizer.h"

namespace train {

struct Corpus {
  std::string name;        // the file's path, or the built-in generator's name
  std::string tokenizer;   // "byte" or "char"
  std::int64_t vocab = 0;  // V: every id is in [0, V)
  std::vector<std::int32_t> train, val;
  double val_bytes_per_token = 1;  // of the validation split: nats / (this · ln 2) = bits per byte
  std::string hash;                // of tokenizer, vocabulary, both splits; not of the name
  // Known for the built-in corpus only, nats per token of `val`: the least any model can reach, and
  // the least for one that sees a window of T tokens alone (see synthetic_filter.h).
  std::optional<double> bayes_loss, bayes_loss_window;
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

/// A corpus from a text file. The vocabulary is that of training and validation text together.
/// Without `val_path` the last `val_fraction` of the tokens is held out: the training split is the
/// first floor(n·(1 − val_fraction)), as nanoGPT's data/shakespeare_char/prepare.py does.
/// Errors: what read_text refuses, invalid UTF-8 (kChar), val_fraction outside (0, 1), fewer than
/// block_size + 1 tokens in either split.
Corpus load_text(const std::string& text_path, const std::optional<std::string>& val_path,
                 TokenizerKind kind, std::int64_t block_size, double val_fraction = 0.1);

/// Error unless both splits hold a window of block_size inputs and the target behind the last.
void require_window(const Corpus& corpus, std::int64_t block_size, std::string_view train_source,
                    std::string_view val_source);

/// Corpus::hash: 32 hex digits (XXH3-128), the same on every machine.
std::string hash_corpus(const Corpus& corpus);

}  // namespace train
