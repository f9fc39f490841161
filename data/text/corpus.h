// What a model learns from and is judged by: token ids of a training, a validation and a test
// split. Whatever chooses (tuning, stopping, checkpoints) sees validation, verdicts are on test.
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
  // nats / (this · ln 2) = bits per byte; not known of ids without a tokenizer.
  std::optional<double> bytes_per_token = 1;
};

struct Corpus {
  std::string name;        // the file's path, or the built-in generator's name
  std::string tokenizer;   // "byte", "char", "sp", "gpt2", "ids"
  std::int64_t vocab = 0;  // V: every id is in [0, V)
  Tokens train;
  HeldOut val, test;  // no test split: `test` has no ids
  // Known for the built-in corpus only, nats per token of `test`: the least any model can reach,
  // and the least for one that sees a window of T tokens alone (see bayes.h).
  std::optional<double> bayes_loss, bayes_loss_window;
  std::shared_ptr<const WordHmm> language;  // of the built-in corpus, whose symbols are its pieces
  // Whether every seed has held-out texts of its own, which these are of one.
  bool own_texts = false;
  std::string hash;    // of tokenizer, vocabulary and splits, or of what generates them; no name
  TokenizerPtr codec;  // null of random tokens

  /// Prompts to ids; Error for a symbol the corpus lacks, with its offset.
  std::vector<std::int32_t> encode(std::string_view text) const { return codec->encode(text); }
  std::string decode(TokenSpan ids) const {
    return codec->decode(std::vector<std::int32_t>(ids.begin(), ids.end()));
  }
  /// id -> bytes, (V); empty where that is not known.
  const std::vector<std::string>& pieces() const;
};

/// Where the splits of a text come from. A path is a file of its own; a fraction is a share of the
/// text's tokens, cut off its end: first training, then validation, then test.
struct TextSplits {
  std::string text, val, test;  // paths; empty: cut off the text
  double val_fraction = 0.1, test_fraction = 0.1;
  std::string bin_type = "auto";  // of ids, as map_tokens() takes it
};

/// A corpus from text, or from files of token ids. The vocabulary of char and byte is that of all
/// splits together; sp:VOCAB is trained on the training split alone. Of n tokens training has the
/// first floor(n·(1 − fractions)), where n counts characters unless the tokenizer is byte, whatever
/// it makes of them, so that tokenizers are judged on the same text; with a test fraction of 0 that
/// is the split of nanoGPT's data/shakespeare_char/prepare.py, and there is no test split. Of a
/// .bin it counts ids. Errors: what read_text and map_tokens refuse, what the tokenizer cannot
/// take, fractions that leave nothing to train on, two splits with a file in common or with the
/// same contents, a split of fewer than block_size + 1 tokens, ids outside of the vocabulary.
Corpus load_text(const TextSplits& splits, const std::string& tokenizer, std::int64_t block_size);

/// The ids of a text, which may be in no memory yet. Throws base::Error where they do not fit,
/// and what the tokenizer cannot take.
Tokens encode_text(const Tokenizer& codec, std::string_view text, const std::string& name,
                   Memory memory = memory_left);

/// Bytes that a token of the split stands for, on average. Nothing where the tokenizer does not
/// know.
std::optional<double> bytes_per_token(TokenSpan ids, const Tokenizer& codec);
/// Completes a corpus whose ids are there, and its tokenizer where it is not known how many ids are
/// in use (kMostIds): checks that all are in the vocabulary, and sets vocab, bytes per token and
/// hash. One pass over the ids, another over those that are held out.
void complete(Corpus& corpus);

/// Corpus::hash of a text: 32 hex digits (XXH3-128), the same on every machine, however the ids are
/// stored. One pass over them.
std::string hash_corpus(const Corpus& corpus);

/// Share of held-out text that is also in the training split, byte by byte: min(4096, ⌊n / 64⌋)
/// windows of 64 bytes (ids, without a tokenizer), spread evenly over n bytes, found by 64-bit
/// hashes. Nothing for the built-in corpus and for text shorter than a window. One pass over the
/// training split.
std::optional<double> share_in_training(const Corpus& corpus, const HeldOut& split);  // overlap.cpp

}  // namespace data
