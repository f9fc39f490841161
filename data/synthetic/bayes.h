// The best possible predictors of generated data, and their losses.
//
// BayesFilter: exact next-character probabilities of a WordHmm.
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
#include <span>
#include <string_view>
#include <vector>

#include "data/synthetic/synthetic.h"

namespace data {

class BayesFilter {
 public:
  explicit BayesFilter(const WordHmm& hmm);
  BayesFilter(const BayesFilter&) = delete;  // holds a pointer into itself
  BayesFilter& operator=(const BayesFilter&) = delete;

  /// Restarts: the next character is the first of a text (state from hmm.initial).
  void start_text();
  /// Restarts: the next character is at a uniformly random position of the stationary text. Sums
  /// over the hypotheses (state z, word w, place j < |w|), each with probability π(z) p(w | z) /
  /// E[length], π the stationary distribution over words, by a second trie of all suffixes.
  void start_anywhere();

  /// p(next character = c | what was observed since the start).
  double probability(char c) const;
  /// The same, and observes c. Error if it is 0: no such text in this language.
  double observe(char c);

  /// π (states): how often each state emits a word in the long run.
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

/// Mean of −ln p over all characters but the first, in nats: the best possible loss with the whole
/// text as context. REQUIRES: two characters.
double bayes_loss(const WordHmm& hmm, std::string_view text);

/// The best possible loss with T characters of context: the filter restarts (start_anywhere) at
/// every evaluation window, sees character k·T unscored, then predicts k·T + 1 … k·T + T.
double bayes_loss_window(const WordHmm& hmm, std::string_view text, std::int64_t block_size);

/// Mean and standard deviation of y_t given x_0 … x_t and y_0 … y_{t−1}, for every t, if y = w·x +
/// ε, w ~ N(0, I), ε ~ N(0, noise²): ridge regression with penalty noise² (Rasmussen & Williams
/// 2006, section 2.1). x (T,d), y (T) → (T,2). REQUIRES: noise > 0, y not empty.
std::vector<double> bayes_predictions(std::span<const float> x, std::span<const float> y,
                                      double noise);

/// Mean of −log N(y_t; mean, sd²) over the predictions (T,2), nats.
double normal_loss(std::span<const double> predictions, std::span<const float> y);

}  // namespace data
