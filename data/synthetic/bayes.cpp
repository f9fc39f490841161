#include "data/synthetic/bayes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace data {

namespace {

/// (rows, width) of weights, each row divided by its sum.
std::vector<double> normalized(const std::vector<std::uint32_t>& weights, std::size_t width) {
  std::vector<double> out(weights.size());
  for (std::size_t row = 0; row < weights.size(); row += width) {
    double sum = 0;
    for (std::size_t i = 0; i < width; ++i) sum += weights[row + i];
    for (std::size_t i = 0; i < width; ++i) out[row + i] = weights[row + i] / sum;
  }
  return out;
}

/// π = π A by power iteration; averaged with the last iterate, so that periodic chains converge
/// too.
std::vector<double> stationary_distribution(const std::vector<double>& transition,
                                            std::size_t states) {
  std::vector<double> pi(states, 1.0 / static_cast<double>(states)), next(states);
  double change = 1;
  for (int i = 0; i < 100000 && change > 1e-16; ++i) {
    next = pi;
    for (std::size_t from = 0; from < states; ++from)
      for (std::size_t to = 0; to < states; ++to)
        next[to] += pi[from] * transition[from * states + to];
    change = 0;
    for (std::size_t z = 0; z < states; ++z) {
      change = std::max(change, std::abs(next[z] / 2 - pi[z]));
      pi[z] = next[z] / 2;
    }
  }
  return pi;
}

}  // namespace

BayesFilter::BayesFilter(const WordHmm& hmm)
    : states_(hmm.states),
      initial_(normalized(hmm.initial, hmm.states)),
      transition_(normalized(hmm.transition, hmm.states)),
      emission_(normalized(hmm.emission, hmm.entries.size())),
      stationary_(stationary_distribution(transition_, hmm.states)),
      alpha_(hmm.states),
      next_(hmm.states) {
  symbol_.fill(-1);
  int symbols = 0;
  for (const std::string& entry : hmm.entries) {
    for (const char c : entry) {
      std::int8_t& symbol = symbol_[static_cast<unsigned char>(c)];
      if (symbol >= 0) continue;
      base::require(symbols < 32, "a word model with more than 32 symbols");
      symbol = static_cast<std::int8_t>(symbols++);
    }
  }
  for (std::size_t entry = 0; entry < hmm.entries.size(); ++entry) {
    const std::string_view word = hmm.entries[entry];
    add(words_, word, entry);
    for (std::size_t begin = 0; begin < word.size(); ++begin)
      add(suffixes_, word.substr(begin), entry);
  }
  start_text();
}

void BayesFilter::add(Trie& trie, std::string_view word, std::size_t entry) {
  const std::size_t entries = emission_.size() / states_;
  const auto new_node = [&] {
    trie.child.emplace_back().fill(-1);
    trie.mass.resize(trie.mass.size() + states_);
    trie.end.push_back(false);
    return static_cast<std::int32_t>(trie.end.size() - 1);
  };
  const auto add_mass = [&](std::size_t node) {
    for (std::size_t z = 0; z < states_; ++z)
      trie.mass[node * states_ + z] += emission_[z * entries + entry];
  };
  if (trie.end.empty()) new_node();
  std::size_t node = 0;
  add_mass(node);
  for (const char c : word) {
    const auto symbol = static_cast<std::size_t>(symbol_[static_cast<unsigned char>(c)]);
    if (trie.child[node][symbol] < 0) {
      const std::int32_t made = new_node();
      trie.child[node][symbol] = made;
    }
    node = static_cast<std::size_t>(trie.child[node][symbol]);
    add_mass(node);
  }
  trie.end[node] = true;
}

void BayesFilter::enter(const Trie& trie, const std::vector<double>& prior) {
  trie_ = &trie;
  node_ = 0;
  alpha_ = prior;
  joint_ = joint(0);
}

void BayesFilter::start_text() { enter(words_, initial_); }
void BayesFilter::start_anywhere() { enter(suffixes_, stationary_); }

std::int32_t BayesFilter::child(char c) const {
  const int symbol = symbol_[static_cast<unsigned char>(c)];
  return symbol < 0
             ? -1
             : trie_->child[static_cast<std::size_t>(node_)][static_cast<std::size_t>(symbol)];
}

double BayesFilter::joint(std::int32_t node) const {
  const double* mass = trie_->mass.data() + static_cast<std::size_t>(node) * states_;
  double sum = 0;
  for (std::size_t z = 0; z < states_; ++z) sum += alpha_[z] * mass[z];
  return sum;
}

double BayesFilter::probability(char c) const {
  const std::int32_t node = child(c);
  return node < 0 ? 0 : joint(node) / joint_;
}

double BayesFilter::observe(char c) {
  const std::int32_t node = child(c);
  const double all = node < 0 ? 0 : joint(node);
  base::require(all > 0, "character ", static_cast<int>(static_cast<unsigned char>(c)),
                " cannot follow in the word model's language");
  const double p = all / joint_;
  node_ = node;
  joint_ = all;
  if (!trie_->end[static_cast<std::size_t>(node)]) return p;

  const double* mass = trie_->mass.data() + static_cast<std::size_t>(node) * states_;
  std::fill(next_.begin(), next_.end(), 0.0);
  for (std::size_t from = 0; from < states_; ++from) {
    const double posterior = alpha_[from] * mass[from] / all;
    for (std::size_t to = 0; to < states_; ++to)
      next_[to] += posterior * transition_[from * states_ + to];
  }
  enter(words_, next_);
  return p;
}

double bayes_loss(const WordHmm& hmm, std::string_view text) {
  BayesFilter filter(hmm);
  filter.observe(text.front());
  double sum = 0;
  for (const char c : text.substr(1)) sum -= std::log(filter.observe(c));
  return sum / static_cast<double>(text.size() - 1);
}

double bayes_loss_window(const WordHmm& hmm, std::string_view text, std::int64_t block_size) {
  BayesFilter filter(hmm);
  const auto block = static_cast<std::size_t>(block_size);
  double sum = 0;
  for (std::size_t begin = 0; begin + 1 < text.size(); begin += block) {
    filter.start_anywhere();
    filter.observe(text[begin]);
    for (const char c : text.substr(begin + 1, block)) sum -= std::log(filter.observe(c));
  }
  return sum / static_cast<double>(text.size() - 1);
}

// The posterior N(m, Σ) of w, updated by one pair at a time (recursive least squares):
// k = Σx / (xᵀΣx + noise²), m += k·(y − x·m), Σ −= k·(Σx)ᵀ
std::vector<double> bayes_predictions(std::span<const float> x, std::span<const float> y,
                                      double noise) {
  const std::size_t d = x.size() / y.size();
  std::vector<double> mean(d, 0.0), covariance(d * d, 0.0), along(d), out;
  for (std::size_t i = 0; i < d; ++i) covariance[i * d + i] = 1;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const auto at = [&](std::size_t i) { return static_cast<double>(x[t * d + i]); };
    double predicted = 0, variance = noise * noise;
    for (std::size_t i = 0; i < d; ++i) {
      along[i] = 0;
      for (std::size_t j = 0; j < d; ++j) along[i] += covariance[i * d + j] * at(j);
      predicted += mean[i] * at(i);
      variance += along[i] * at(i);
    }
    out.push_back(predicted);
    out.push_back(std::sqrt(variance));
    const double surprise = static_cast<double>(y[t]) - predicted;
    for (std::size_t i = 0; i < d; ++i) {
      mean[i] += along[i] * surprise / variance;
      for (std::size_t j = 0; j < d; ++j) covariance[i * d + j] -= along[i] * along[j] / variance;
    }
  }
  return out;
}

double normal_loss(std::span<const double> predictions, std::span<const float> y) {
  double sum = 0;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const double sd = predictions[2 * t + 1];
    const double z = (static_cast<double>(y[t]) - predictions[2 * t]) / sd;
    sum += 0.5 * std::log(2 * std::numbers::pi) + std::log(sd) + 0.5 * z * z;
  }
  return sum / static_cast<double>(y.size());
}

}  // namespace data
