#include "data/synthetic/synthetic.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "data/synthetic/bayes.h"
#include "data/tokenizer/tokenizer.h"
#include "engine/rng.h"

namespace data {

using base::require;
using engine::Sequence;

namespace {

constexpr std::string_view kConsonants = "bcdfghjklmnprstvwyz";
constexpr std::string_view kVowels = "aeiou";
constexpr std::string_view kCodas = "lmnrst";

enum Role : std::size_t { kOpener, kModifier, kNoun, kCloser, kRoles };
constexpr std::size_t kTopics = 4;
constexpr std::size_t kOpeners = 12;        // shared by the topics
constexpr std::size_t kWordsPerState = 16;  // of each (topic, other role)

struct Separator {
  std::string_view text;
  std::uint32_t weight;
};
constexpr std::array<std::array<Separator, 2>, kRoles> kSeparators{{
    {{{" ", 1}, {}}},           // opener
    {{{" ", 7}, {", ", 1}}},    // modifier
    {{{" ", 1}, {}}},           // noun
    {{{". ", 3}, {".\n", 1}}},  // closer
}};
constexpr std::uint32_t kGrammar[kRoles][kRoles] = {
    {0, 3, 5, 0},  // opener to modifier, noun
    {0, 1, 7, 0},  // modifier to modifier, noun
    {2, 0, 0, 6},  // noun to opener, closer
    {6, 0, 2, 0},  // closer to opener, noun
};
constexpr std::uint32_t kStay = 125, kLeave = 1;  // the topic, per word: 125 to 1 + 1 + 1

std::string alphabet() {
  std::string symbols = ".,\n ";
  symbols.append(kConsonants).append(kVowels);
  return symbols;
}

struct Word {
  std::string letters;
  std::size_t topic, role, rank;
};

char pick(std::string_view letters, Sequence& random) {
  return letters[static_cast<std::size_t>(random.below(letters.size()))];
}

/// One to three syllables of consonant, vowel and, one time in four, a coda; openers have one.
std::string spell(Role role, Sequence& random) {
  constexpr std::array<std::size_t, 4> kSyllables{1, 2, 2, 3};
  const std::size_t syllables = role == kOpener ? 1 : kSyllables[random.below(4)];
  std::string letters;
  for (std::size_t i = 0; i < syllables; ++i) {
    letters += pick(kConsonants, random);
    letters += pick(kVowels, random);
    if (random.below(4) == 0) letters += pick(kCodas, random);
  }
  return letters;
}

std::vector<Word> make_lexicon(std::uint64_t corpus_seed) {
  Sequence random(engine::stream_key(corpus_seed, engine::Stream::kData),
                  engine::site_id("synthetic.lexicon"));
  std::vector<Word> words;
  std::set<std::string> used;
  const auto add = [&](std::size_t topic, Role role, std::size_t count) {
    for (std::size_t rank = 0; rank < count;) {
      std::string letters = spell(role, random);
      if (used.insert(letters).second) words.push_back({std::move(letters), topic, role, rank++});
    }
  };
  add(0, kOpener, kOpeners);
  for (std::size_t topic = 0; topic < kTopics; ++topic)
    for (const Role role : {kModifier, kNoun, kCloser}) add(topic, role, kWordsPerState);
  return words;
}

/// How often a state emits a word, before the separator: Zipf's law over the rank, times how much
/// the word belongs there. Openers belong to every topic, which rank them differently; every
/// fourth other word is at home in a second role, and every word strays into other topics.
std::uint32_t word_weight(const Word& word, std::size_t topic, std::size_t role) {
  if (word.role == kOpener) {
    if (role != kOpener) return 0;
    return 720 / static_cast<std::uint32_t>((word.rank + 3 * topic) % kOpeners + 1);
  }
  const std::size_t second = word.role % 3 + 1;
  const std::uint32_t home = role == word.role ? 16 : role == second && word.rank % 4 == 1 ? 4 : 0;
  const std::uint32_t zipf = 720 / static_cast<std::uint32_t>(word.rank + 1);
  return zipf * home / (topic == word.topic ? 1 : 32);
}

/// Picks an index in proportion to the differences of a cumulative row.
std::size_t draw(std::span<const std::uint64_t> cumulative, Sequence& random) {
  const std::uint64_t at = random.below(cumulative.back());
  return static_cast<std::size_t>(std::upper_bound(cumulative.begin(), cumulative.end(), at) -
                                  cumulative.begin());
}

std::vector<std::uint64_t> cumulate(const std::vector<std::uint32_t>& weights, std::size_t width) {
  std::vector<std::uint64_t> sums(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    sums[i] = weights[i] + (i % width == 0 ? 0 : sums[i - 1]);
  return sums;
}

}  // namespace

std::int64_t synthetic_vocabulary() { return static_cast<std::int64_t>(alphabet().size()); }

WordHmm make_language(std::uint64_t corpus_seed) {
  WordHmm language;
  language.states = kTopics * kRoles;
  std::vector<std::array<std::uint32_t, kTopics * kRoles>> columns;  // (entries, states)
  for (const Word& word : make_lexicon(corpus_seed)) {
    for (const std::string_view separator : {" ", ", ", ". ", ".\n"}) {
      std::array<std::uint32_t, kTopics * kRoles> column{};
      for (std::size_t state = 0; state < language.states; ++state)
        for (const Separator& s : kSeparators[state % kRoles])
          if (s.text == separator)
            column[state] = s.weight * word_weight(word, state / kRoles, state % kRoles);
      if (std::ranges::all_of(column, [](std::uint32_t w) { return w == 0; })) continue;
      language.entries.push_back(word.letters + std::string(separator));
      columns.push_back(column);
    }
  }
  for (std::size_t from = 0; from < language.states; ++from) {
    language.initial.push_back(from % kRoles == kOpener ? 1 : 0);
    for (std::size_t to = 0; to < language.states; ++to)
      language.transition.push_back(kGrammar[from % kRoles][to % kRoles] *
                                    (from / kRoles == to / kRoles ? kStay : kLeave));
    for (const auto& column : columns) language.emission.push_back(column[from]);
  }
  return language;
}

std::string generate_text(const WordHmm& language, std::uint64_t corpus_seed,
                          std::string_view stream, std::size_t length) {
  const std::size_t S = language.states, E = language.entries.size();
  const auto initial = cumulate(language.initial, S);
  const auto transition = cumulate(language.transition, S);
  const auto emission = cumulate(language.emission, E);
  Sequence random(engine::stream_key(corpus_seed, engine::Stream::kData),
                  engine::site_id("synthetic." + std::string(stream)));
  std::string text;
  text.reserve(length);
  std::size_t state = draw(initial, random);
  while (text.size() < length) {
    const std::string& entry =
        language.entries[draw(std::span(emission).subspan(state * E, E), random)];
    text.append(entry, 0, length - text.size());
    state = draw(std::span(transition).subspan(state * S, S), random);
  }
  return text;
}

namespace {

std::string hash_of(const WordHmm& language, std::uint64_t corpus_seed) {
  base::Hash hash;
  for (const std::string& entry : language.entries) hash.add(entry);
  for (const auto* weights : {&language.initial, &language.transition, &language.emission})
    hash.add(std::as_bytes(std::span(*weights)));
  // A piece of what is made of it: another generator would be other data.
  return hash.add(generate_text(language, corpus_seed, "hash", 4096)).hex();
}

}  // namespace

std::string language_hash(std::uint64_t corpus_seed) {
  return hash_of(make_language(corpus_seed), corpus_seed);
}

Corpus make_synthetic(const SyntheticChoice& choice, std::int64_t block_size) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  const auto check = [&](std::int64_t tokens, std::string_view split) {
    require(tokens > block_size && block_size >= 1, "the built-in corpus: ", tokens, " ", split,
            tokens == 1 ? " token" : " tokens", ", block size ", block_size, " needs at least ",
            block_size, " + 1 (and a block at least 1)");
    require(tokens <= kMost, "the built-in corpus: ", tokens, " ", split,
            " tokens are more than it makes, ", kMost, "; use a smaller --budget");
  };
  check(choice.train_tokens, "training");
  check(choice.val_tokens, "validation");
  check(choice.test_tokens, "test");

  const WordHmm language = make_language(choice.language);
  const std::string symbols = alphabet();
  const std::array<Source, 1> source{Source{symbols, "the built-in corpus"}};
  const auto text = [&](std::string_view split, std::int64_t length) {
    return generate_text(language, choice.language, base::concat(split, ".", choice.texts),
                         static_cast<std::size_t>(length));
  };
  Corpus corpus;
  corpus.name = "synthetic";
  corpus.codec = char_tokenizer(source);
  corpus.tokenizer = corpus.codec->name();
  corpus.vocab = corpus.codec->vocab();
  corpus.own_texts = true;
  corpus.train = corpus.codec->encode(text("train", choice.train_tokens));
  corpus.val.ids = corpus.codec->encode(text("val", choice.val_tokens));
  const std::string test = text("test", choice.test_tokens);
  corpus.test.ids = corpus.codec->encode(test);
  corpus.bayes_loss = bayes_loss(language, test);
  corpus.bayes_loss_window = bayes_loss_window(language, test, block_size);
  corpus.hash = hash_of(language, choice.language);
  corpus.language = std::make_shared<const WordHmm>(language);
  return corpus;
}

}  // namespace data
