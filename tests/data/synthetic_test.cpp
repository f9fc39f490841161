#include "data/synthetic/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/synthetic/bayes.h"
#include "engine/rng.h"
#include "tests/train/small_corpus.h"

namespace {

using data::BayesFilter;
using data::WordHmm;

class Language : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kLength = 100'000;
  void SetUp() override {
    hmm_ = data::make_language(GetParam());
    text_ = data::generate_text(hmm_, GetParam(), "val", kLength);
  }
  WordHmm hmm_;
  std::string text_;
};

TEST_P(Language, IsWellFormed) {
  EXPECT_EQ(hmm_.states, 16u);
  EXPECT_EQ(hmm_.initial.size(), 16u);
  EXPECT_EQ(hmm_.transition.size(), 16u * 16);
  EXPECT_EQ(hmm_.emission.size(), 16 * hmm_.entries.size());
  std::set<std::string> words;
  for (const std::string& entry : hmm_.entries) {
    // Only the last character ends a word, so words can be told apart.
    EXPECT_EQ(entry.find_first_of(" \n"), entry.size() - 1) << entry;
    words.insert(entry.substr(0, entry.find_first_of(",. \n")));
    EXPECT_GE(entry.size(), 3u);
  }
  EXPECT_EQ(words.size(), 204u);
  EXPECT_EQ(std::set(hmm_.entries.begin(), hmm_.entries.end()).size(), hmm_.entries.size());
  for (std::size_t w = 0; w < hmm_.entries.size(); ++w) {
    std::uint32_t sum = 0;
    for (std::size_t z = 0; z < hmm_.states; ++z) sum += hmm_.emission[z * hmm_.entries.size() + w];
    EXPECT_GT(sum, 0u) << hmm_.entries[w];
  }
}

TEST_P(Language, ProbabilitiesSumToOneEverywhere) {
  BayesFilter filter(hmm_);
  for (const bool window : {false, true}) {
    window ? filter.start_anywhere() : filter.start_text();
    for (const char c : text_.substr(window ? 3 : 0, 2000)) {
      double sum = 0;
      for (int symbol = 0; symbol < 256; ++symbol)
        sum += filter.probability(static_cast<char>(symbol));
      ASSERT_NEAR(sum, 1, 1e-12);
      filter.observe(c);
    }
  }
}

/// ln p of the first words by the textbook scaled forward algorithm over whole words.
double forward_log_likelihood(const WordHmm& hmm, std::span<const std::string> words) {
  const std::size_t S = hmm.states, E = hmm.entries.size();
  std::map<std::string_view, std::size_t> index;
  for (std::size_t w = 0; w < E; ++w) index[hmm.entries[w]] = w;
  std::vector<double> alpha(S), next(S);
  for (std::size_t z = 0; z < S; ++z) alpha[z] = tests::row_share(hmm.initial, 0, S, z);
  double log_p = 0;
  std::vector<double> a(S * S), b(S * E);
  for (std::size_t z = 0; z < S; ++z) {
    for (std::size_t to = 0; to < S; ++to)
      a[z * S + to] = tests::row_share(hmm.transition, z, S, to);
    for (std::size_t w = 0; w < E; ++w) b[z * E + w] = tests::row_share(hmm.emission, z, E, w);
  }
  for (const std::string& word : words) {
    double p = 0;
    for (std::size_t z = 0; z < S; ++z) p += alpha[z] *= b[z * E + index.at(word)];
    log_p += std::log(p);
    std::ranges::fill(next, 0.0);
    for (std::size_t z = 0; z < S; ++z)
      for (std::size_t to = 0; to < S; ++to) next[to] += alpha[z] / p * a[z * S + to];
    alpha = next;
  }
  return log_p;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t end; (end = text.find_first_of(" \n")) != text.npos; text.remove_prefix(end + 1))
    words.emplace_back(text.substr(0, end + 1));
  return words;
}

TEST_P(Language, BayesLossIsTheWordLevelLikelihood) {
  const std::string text = text_.substr(0, text_.find_last_of(" \n") + 1);  // whole words
  const double log_p = forward_log_likelihood(hmm_, split_words(text));
  const double first = std::log(BayesFilter(hmm_).probability(text[0]));
  EXPECT_NEAR(data::bayes_loss(hmm_, text), -(log_p - first) / static_cast<double>(text.size() - 1),
              1e-10);
}

TEST_P(Language, HiddenStateMatters) {
  // The best model of independent words: each with its stationary probability.
  const BayesFilter filter(hmm_);
  const std::size_t E = hmm_.entries.size();
  double entropy = 0, length = 0;
  std::map<std::string, double> log_p;
  for (std::size_t w = 0; w < E; ++w) {
    double p = 0;
    for (std::size_t z = 0; z < hmm_.states; ++z)
      p += filter.stationary()[z] * tests::row_share(hmm_.emission, z, E, w);
    entropy -= p * std::log(p);
    length += p * static_cast<double>(hmm_.entries[w].size());
    log_p[hmm_.entries[w]] = std::log(p);
  }
  double loss = 0, characters = 0;
  for (const std::string& word : split_words(text_)) {
    loss -= log_p.at(word);
    characters += static_cast<double>(word.size());
  }
  const double unigram = entropy / length, measured = loss / characters;
  EXPECT_NEAR(measured, unigram, 0.01);
  const double bayes = data::bayes_loss(hmm_, text_);
  const double window = data::bayes_loss_window(hmm_, text_, 64);
  EXPECT_LT(bayes, std::min(unigram, measured) - 0.2);
  EXPECT_LT(window, std::min(unigram, measured) - 0.15);  // and within reach of a small model
  EXPECT_GT(window, bayes + 0.01);
  EXPECT_GT(data::bayes_loss_window(hmm_, text_, 16), window);
  EXPECT_LT(data::bayes_loss_window(hmm_, text_, 256), window);
  RecordProperty("bayes", std::to_string(bayes));
  RecordProperty("bayes_window_64", std::to_string(window));
  RecordProperty("word_unigram", std::to_string(unigram));
}

TEST_P(Language, WindowLossScoresWhatEvaluationScores) {
  // Once more by hand, on a text whose last window is short: filter restarted, first token
  // unscored.
  const std::string text = text_.substr(7, 150);
  BayesFilter filter(hmm_);
  double sum = 0;
  int scored = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (i % 64 == 0) {
      filter.start_anywhere();
      filter.observe(text[i]);
    }
    sum -= std::log(filter.observe(text[i + 1]));
    ++scored;
  }
  EXPECT_EQ(scored, 149);
  EXPECT_NEAR(data::bayes_loss_window(hmm_, text, 64), sum / scored, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Language, testing::Values(0u, 1u, 2u, 1337u));

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t h = 0;
  for (const char c : text) h = engine::mix64(h ^ static_cast<unsigned char>(c));
  return h;
}

TEST(Synthetic, SameBytesOnEveryMachine) {
  const WordHmm language = data::make_language(1337);
  const std::string text = data::generate_text(language, 1337, "train", 100'000);
  EXPECT_EQ(text.substr(0, 60), "ne vusi jir. ne dulu wanuse. ya ke tucu. ne cuta po wo ko. n");
  EXPECT_EQ(hash_text(text), 18360532640988725963ULL);
  EXPECT_EQ(hash_text(data::generate_text(language, 1337, "val", 100'000)),
            17835994950202956806ULL);
  EXPECT_EQ(data::language_hash(1337), "29c24658f13dbb946279443abb5eb8e5");
  EXPECT_EQ(data::make_synthetic({1337, 5, 20'000, 5'000, 5'000}, 64).hash,
            data::language_hash(1337));
}

TEST(Synthetic, CorpusIsComplete) {
  const data::Corpus corpus = data::make_synthetic({3, 9, 20'000, 5'000, 6'000}, 64);
  EXPECT_EQ(corpus.name, "synthetic");
  EXPECT_EQ(corpus.tokenizer, "char");
  EXPECT_EQ(corpus.vocab, 28);
  EXPECT_EQ(corpus.vocab, data::synthetic_vocabulary());
  EXPECT_EQ(corpus.train.size(), 20'000u);
  const WordHmm language = data::make_language(3);
  std::set<std::string> texts = {corpus.decode(corpus.train).substr(0, 5'000)};
  for (const auto& [split, name] :
       {std::pair{&corpus.val, "val.9"}, std::pair{&corpus.test, "test.9"}}) {
    const std::size_t length = split == &corpus.val ? 5'000 : 6'000;
    const std::string text = data::generate_text(language, 3, name, length);
    EXPECT_EQ(corpus.decode(split->ids), text);
    EXPECT_EQ(split->bytes_per_token, 1.0);
    texts.insert(text.substr(0, 5'000));
  }
  EXPECT_EQ(texts.size(), 3u) << "no split is another one's";
  const std::string test = corpus.decode(corpus.test.ids);
  EXPECT_EQ(corpus.bayes_loss, data::bayes_loss(language, test));
  EXPECT_EQ(corpus.bayes_loss_window, data::bayes_loss_window(language, test, 64));
}

TEST(Synthetic, MoreDataChangesNothingElse) {
  const data::Corpus small = data::make_synthetic({3, 1, 1'000, 500, 600}, 8);
  const data::Corpus large = data::make_synthetic({3, 1, 50'000, 500, 600}, 8);
  EXPECT_TRUE(small.train == large.train.part(0, 1'000));
  EXPECT_EQ(small.val.ids, large.val.ids);
  EXPECT_EQ(small.test.ids, large.test.ids);
  EXPECT_EQ(small.hash, large.hash) << "it is that of the language";
}

TEST(Synthetic, EverySeedHasTextsOfItsOwnInOneLanguage) {
  const data::Corpus a = data::make_synthetic({3, 1, 1'000, 500, 600}, 8);
  const data::Corpus b = data::make_synthetic({3, 2, 1'000, 500, 600}, 8);
  EXPECT_NE(a.train, b.train);
  EXPECT_NE(a.val.ids, b.val.ids);
  EXPECT_NE(a.test.ids, b.test.ids);
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_TRUE(a.own_texts);
  const data::Corpus other = data::make_synthetic({4, 1, 1'000, 500, 600}, 8);
  EXPECT_NE(other.train, a.train);
  EXPECT_NE(other.hash, a.hash);
}

TEST(Synthetic, ErrorsNameTheValues) {
  const auto message = [](std::int64_t train, std::int64_t val, std::int64_t T) -> std::string {
    try {
      (void)data::make_synthetic({1, 1, train, val, 100}, T);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(8, 100, 8).find("8 training tokens, block size 8"), std::string::npos);
  EXPECT_NE(message(100, 8, 8).find("8 validation tokens, block size 8"), std::string::npos);
  EXPECT_NE(message(std::int64_t{1} << 40, 100, 8).find("1099511627776 training"),
            std::string::npos);
  EXPECT_NE(message(-1, 100, 8).find("-1 training"), std::string::npos);
  EXPECT_NE(message(100, 100, 0).find("block size 0"), std::string::npos);
  EXPECT_EQ(message(9, 9, 8), "");
}

}  // namespace
