// The built-in corpus: word-like text from a hidden Markov model over words, seeded, endless, the
// same bytes on every machine, and with next-character probabilities that are known exactly
// (bayes.h).
//
// The hidden state is (topic, role). The topic is sticky, the role follows a small grammar
// (opener, modifier, noun, closer), and a state emits a word of a generated lexicon together with
// what separates it from the next word. Topics and roles share some of their words, so the state
// has to be inferred from the words before.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/corpus.h"

namespace data {

/// A hidden Markov model over words. All weights are integers, so that the next word never
/// depends on rounding. A row's weights are relative to the row's sum.
struct WordHmm {
  std::size_t states = 0;
  /// Words with the separator behind them. REQUIRES: none is a prefix of a suffix of another
  /// (a separator's last character occurs nowhere else), so text splits into words in one way.
  std::vector<std::string> entries;
  std::vector<std::uint32_t> initial;     // (states): the first word's state
  std::vector<std::uint32_t> transition;  // (states, states): from, to
  std::vector<std::uint32_t> emission;    // (states, entries)
};

/// V of the language: its alphabet is the same for every seed.
std::int64_t synthetic_vocabulary();

/// The generated language: 16 states, 204 words, 28 symbols.
WordHmm make_language(std::uint64_t corpus_seed);

/// The first `length` characters of one of the language's endless texts: a longer one starts with
/// the shorter one. `stream` ("train.7", "val.7") names the text.
std::string generate_text(const WordHmm& language, std::uint64_t corpus_seed,
                          std::string_view stream, std::size_t length);

/// Hash of the language and of how its texts are made: 32 hex digits.
std::string language_hash(std::uint64_t corpus_seed);

/// A language and its texts.
struct SyntheticChoice {
  std::uint64_t language = 1;  // of make_language()
  std::uint64_t texts = 1;     // the run's seed: each seed gets its own texts
  std::int64_t train_tokens = 1 << 20, val_tokens = 1 << 14, test_tokens = 1 << 15;
};

/// A corpus of three texts of one language, with the Bayes losses of the test split (block_size:
/// the window of the second loss). More training tokens are the same text continued, and change
/// nothing else. The hash is that of the language, not of the texts, which follow from the seed.
/// Errors: a split shorter than block_size + 1, or longer than 2^31 characters.
Corpus make_synthetic(const SyntheticChoice& choice, std::int64_t block_size);

}  // namespace data
