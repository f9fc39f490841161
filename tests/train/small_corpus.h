// Text and corpora for tests of training: a first-order chain over a few letters, so that there is
// something to learn, and quickly.
#pragma once
#include <string>

#include "data/tokenizer/tokenizer.h"
#include "engine/rng.h"
#include "train/tasks/language_modelling.h"

namespace tests {

/// A weight as a share of its row.
inline double row_share(const std::vector<std::uint32_t>& weights, std::size_t row,
                        std::size_t width, std::size_t i) {
  double sum = 0;
  for (std::size_t k = 0; k < width; ++k) sum += weights[row * width + k];
  return weights[row * width + i] / sum;
}

inline std::string small_text(std::size_t characters, std::uint64_t seed = 1) {
  constexpr std::string_view kLetters = "etaoinshrdlu .\n";
  engine::Sequence random(engine::stream_key(seed, engine::Stream::kSample), 1);
  std::string text;
  std::size_t last = 0;
  while (text.size() < characters) {
    // Three of four times one of the three letters behind the last one.
    last = random.below(4) == 0 ? random.below(kLetters.size())
                                : (last + 1 + random.below(3)) % kLetters.size();
    text += kLetters[last];
  }
  return text;
}

inline data::Corpus small_corpus(std::size_t train_tokens, std::size_t val_tokens) {
  data::Corpus corpus;
  corpus.name = "small";
  corpus.tokenizer = "char";
  const std::string text = small_text(train_tokens + val_tokens);
  const data::Source source{text, "small"};
  corpus.codec = data::char_tokenizer({&source, 1});
  const data::Tokens ids = corpus.codec->encode(text);
  corpus.train = ids.part(0, train_tokens);
  corpus.val.ids = ids.part(train_tokens, ids.size() - train_tokens);
  corpus.vocab = corpus.codec->vocab();
  corpus.hash = data::hash_corpus(corpus);
  return corpus;
}

inline train::LanguageModelling small_task(std::size_t train_tokens, std::size_t val_tokens) {
  return train::LanguageModelling(small_corpus(train_tokens, val_tokens));
}

}  // namespace tests
