// The exact next-character probabilities of a WordHmm, and the losses they give.
//
// With α(z) = p(state of the current word = z | everything before the word) and B_z(s) = p(the word
// starts with s | z), the word's first characters being s,
//
//   p(next = c | text) = Σ_z α(z) B_z(s c) / Σ_z α(z) B_z(s),
//
// and when s c ends the word, α'(z') ∝ Σ_z α(z) B_z(s c) A(z, z'). B lives in the nodes of a trie.
// (Rabiner 1989, section III.A, with words spelled out.)
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/synthetic/synthetic.h"

namespace data {

class BayesFilter {
 public:
  explicit BayesFilter(const WordHmm& hmm);
  BayesFilter(const BayesFilter&) = delete;  // holds a pointer into itself
  BayesFilter& operator=(const BayesFilter&) = delete;

  /// Forgets everything: the next character is the first of a text (state from hmm.initial).
  void start_text();
  /// Forgets everything: the next character is at a uniformly random position of the stationary
  /// text, most often within a word. So the hypotheses are (state z, word w, place j in w) with
  /// probability π(z) p(w | z) / E[length], for every j < |w|, π the stationary distribution over
  /// words. They are summed exactly: the suffixes of all words make a second trie, which is left
  /// at the first word's end.
  void start_anywhere();

  /// p(next character = c | what was observed since the start).
  double probability(char c) const;
  /// The same, and takes c as observed. Error when that is 0: no such text in this language.
  double observe(char c);

  /// π: how often each state emits a word, in the long run, (states).
  const std::vector<double>& stationary() const { return stationary_; }

 private:
  struct Trie {
    std::vector<std::array<std::int32_t, 32>> child;  // (nodes, symbols), -1: none
    std::vector<double> mass;                         // (nodes, states): B
    std::vector<bool> end;                            // (nodes)
  };
  void add(Trie& trie, std::string_view word, std::size_t entry);
  void enter(const Trie& trie, const std::vector<double>& prior);
  std::int32_t child(char c) const;
  double joint(std::int32_t node) const;  // Σ_z α(z) B_z(node)

  std::size_t states_;
  std::array<std::int8_t, 256> symbol_;  // byte -> column of child, -1: not in the language
  std::vector<double> initial_, transition_, emission_, stationary_;
  Trie words_, suffixes_;

  const Trie* trie_ = nullptr;
  std::int32_t node_ = 0;
  std::vector<double> alpha_, next_;
  double joint_ = 1;  // of node_
};

/// Mean of −ln p over every character of the text but the first, in nats: the least any predictor
/// can expect. The filter starts with the text and sees all of it. REQUIRES: two characters.
double bayes_loss(const WordHmm& hmm, std::string_view text);

/// The same where the filter is restarted (start_anywhere) at every evaluation window: it sees
/// character k·T, unscored, then predicts k·T + 1 … k·T + T, the last window ending with the text.
/// This is the least for a model that sees nothing before its window.
double bayes_loss_window(const WordHmm& hmm, std::string_view text, std::int64_t block_size);

}  // namespace data
