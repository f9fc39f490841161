#include "data/synthetic/bayes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/synthetic/synthetic.h"
#include "tests/train/small_corpus.h"

namespace {

using data::BayesFilter;
using data::WordHmm;

/// Two states, words that start alike, uneven weights: small enough to enumerate.
WordHmm tiny() {
  return {2,
          {"a ", "ab ", "b\n", "ba "},
          {3, 1},
          {4, 1,  //
           2, 3},
          {5, 2, 1, 0,  //
           1, 0, 4, 3}};
}

/// p(the stream continues with `text` | the current word's state is z and j of its characters of
/// entry w are gone), by walking every hidden path.
double path_probability(const WordHmm& hmm, std::size_t z, std::size_t w, std::size_t j,
                        std::string_view text) {
  const std::string_view rest = std::string_view(hmm.entries[w]).substr(j);
  const std::size_t n = std::min(rest.size(), text.size());
  if (rest.substr(0, n) != text.substr(0, n)) return 0;
  if (n == text.size()) return 1;
  double sum = 0;
  for (std::size_t to = 0; to < hmm.states; ++to)
    for (std::size_t next = 0; next < hmm.entries.size(); ++next)
      sum += tests::row_share(hmm.transition, z, hmm.states, to) *
             tests::row_share(hmm.emission, to, hmm.entries.size(), next) *
             path_probability(hmm, to, next, 0, text.substr(n));
  return sum;
}

double text_probability(const WordHmm& hmm, std::string_view text) {
  double sum = 0;
  for (std::size_t z = 0; z < hmm.states; ++z)
    for (std::size_t w = 0; w < hmm.entries.size(); ++w)
      sum += tests::row_share(hmm.initial, 0, hmm.states, z) *
             tests::row_share(hmm.emission, z, hmm.entries.size(), w) *
             path_probability(hmm, z, w, 0, text);
  return sum;
}

/// The stationary distribution of two states in closed form.
std::vector<double> two_state_pi(const WordHmm& hmm) {
  const double leave0 = tests::row_share(hmm.transition, 0, 2, 1),
               leave1 = tests::row_share(hmm.transition, 1, 2, 0);
  return {leave1 / (leave0 + leave1), leave0 / (leave0 + leave1)};
}

double window_probability(const WordHmm& hmm, std::string_view text) {
  const std::vector<double> pi = two_state_pi(hmm);
  double sum = 0, length = 0;
  for (std::size_t z = 0; z < hmm.states; ++z) {
    for (std::size_t w = 0; w < hmm.entries.size(); ++w) {
      const double p = pi[z] * tests::row_share(hmm.emission, z, hmm.entries.size(), w);
      length += p * static_cast<double>(hmm.entries[w].size());
      for (std::size_t j = 0; j < hmm.entries[w].size(); ++j)
        sum += p * path_probability(hmm, z, w, j, text);
    }
  }
  return sum / length;
}

double filtered(BayesFilter& filter, std::string_view text) {
  double product = 1;
  for (const char c : text) {
    const double p = filter.probability(c);
    if (p == 0) return 0;
    EXPECT_EQ(filter.observe(c), p);
    product *= p;
  }
  return product;
}

/// Calls f with every string over the alphabet of the given length.
void each_text(std::string_view alphabet, std::size_t length, const auto& f,
               std::string text = "") {
  if (text.size() == length) return f(text);
  for (const char c : alphabet) each_text(alphabet, length, f, text + c);
}

TEST(BayesFilter, IsEveryHiddenPathSummed) {
  const WordHmm hmm = tiny();
  BayesFilter filter(hmm);
  double all = 0, all_windows = 0;
  int possible = 0;
  each_text("ab \n", 6, [&](const std::string& text) {
    const double p = text_probability(hmm, text), window = window_probability(hmm, text);
    filter.start_text();
    ASSERT_NEAR(filtered(filter, text), p, 1e-14) << text;
    filter.start_anywhere();
    ASSERT_NEAR(filtered(filter, text), window, 1e-14) << text;
    all += p, all_windows += window;
    possible += window > 0;
  });
  EXPECT_NEAR(all, 1, 1e-12);
  EXPECT_NEAR(all_windows, 1, 1e-12);
  EXPECT_GT(possible, 80);
}

TEST(BayesFilter, StationaryDistributionIsExact) {
  const std::vector<double> pi = two_state_pi(tiny());
  const BayesFilter filter(tiny());
  EXPECT_NEAR(filter.stationary()[0], pi[0], 1e-14);
  EXPECT_NEAR(filter.stationary()[1], pi[1], 1e-14);
  WordHmm periodic = tiny();
  periodic.transition = {0, 1, 1, 0};
  EXPECT_NEAR(BayesFilter(periodic).stationary()[0], 0.5, 1e-14);
}

TEST(BayesFilter, WindowPriorIsARandomPlaceInALongText) {
  const WordHmm hmm = tiny();
  constexpr std::size_t kLength = 2'000'000, kWindow = 3;
  const std::string text = data::generate_text(hmm, 5, "train", kLength);
  std::map<std::string, int> counts;
  for (std::size_t at = 0; at + kWindow <= kLength; ++at) ++counts[text.substr(at, kWindow)];
  for (const auto& [window, count] : counts) {
    const double p = window_probability(hmm, window);
    ASSERT_GT(p, 0) << window;
    // Neighbouring windows are correlated: 6 of the standard errors of independent ones.
    EXPECT_NEAR(count / double{kLength}, p, 6 * std::sqrt(p / double{kLength})) << window;
  }
}

TEST(BayesFilter, RefusesWhatTheLanguageCannotSay) {
  BayesFilter filter(tiny());
  EXPECT_EQ(filter.probability('x'), 0);
  EXPECT_EQ(filter.probability(' '), 0);
  EXPECT_THROW(filter.observe('x'), base::Error);
  EXPECT_THROW(filter.observe(' '), base::Error);
  EXPECT_GT(filter.observe('a'), 0);  // and is unharmed
}

}  // namespace
