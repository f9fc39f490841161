#include "data/text/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/expect_error.h"

namespace {

using data::Batches;

using Ids = std::vector<std::int32_t>;

/// 0, 1, 2, …: a token is its own position.
Ids positions(std::int64_t n) {
  Ids tokens(static_cast<std::size_t>(n));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

struct Batch {
  Ids x, y;
  bool operator==(const Batch&) const = default;
};

Batch batch(Batches& batches, std::int64_t T, std::uint64_t step, std::int64_t first,
            std::int64_t rows) {
  Batch out{Ids(static_cast<std::size_t>(rows * T)), Ids(static_cast<std::size_t>(rows * T))};
  batches.fill(step, first, rows, out.x.data(), out.y.data());
  return out;
}

class BothModes : public testing::TestWithParam<bool> {
 protected:
  Batches make(const Ids& tokens, std::uint64_t seed, std::int64_t B = 12) const {
    return Batches(tokens, 8, B, seed,
                   GetParam() ? std::optional<std::int64_t>(200) : std::nullopt);
  }
};

TEST_P(BothModes, TargetsAreInputsOneFurther) {
  const Ids tokens = positions(1000);
  Batches batches = make(tokens, 1);
  const Batch b = batch(batches, 8, 5, 0, 12);
  for (std::size_t i = 0; i < b.x.size(); ++i) {
    EXPECT_EQ(b.y[i], b.x[i] + 1);
    if (i % 8 > 0) {
      EXPECT_EQ(b.x[i], b.x[i - 1] + 1);
    }
  }
  for (std::int64_t row = 0; row < 12; ++row)
    EXPECT_EQ(b.x[static_cast<std::size_t>(row * 8)],
              batches.reachable()[static_cast<std::size_t>(batches.start(5, row))]);
}

TEST_P(BothModes, MicroStepsAndReplayGiveTheSameRows) {
  const Ids tokens = positions(1000);
  Batches once = make(tokens, 7), again = make(tokens, 7);
  std::vector<Batch> whole;
  for (std::uint64_t step = 0; step < 40; ++step) whole.push_back(batch(once, 8, step, 0, 12));
  for (std::uint64_t step = 40; step-- > 0;) {  // backwards: nothing may hang on what came before
    Batch halves = batch(again, 8, step, 0, 6);
    const Batch second = batch(again, 8, step, 6, 6);
    halves.x.insert(halves.x.end(), second.x.begin(), second.x.end());
    halves.y.insert(halves.y.end(), second.y.begin(), second.y.end());
    EXPECT_EQ(halves, whole[step]) << step;
  }
}

TEST_P(BothModes, SeedsAndStepsDiffer) {
  const Ids tokens = positions(1000);
  Batches a = make(tokens, 1), b = make(tokens, 2);
  EXPECT_NE(batch(a, 8, 0, 0, 12), batch(b, 8, 0, 0, 12));
  EXPECT_NE(batch(a, 8, 0, 0, 12), batch(a, 8, 1, 0, 12));
}

INSTANTIATE_TEST_SUITE_P(CropsAndEpochs, BothModes, testing::Bool(), [](const auto& mode) {
  return mode.param ? std::string("epochs") : std::string("crops");
});

TEST(Crops, AreUniformOverEveryStart) {
  const Ids tokens = positions(28);  // 20 starts
  Batches batches(tokens, 8, 10, 3);
  std::vector<int> counts(20);
  constexpr int kSteps = 4000;
  for (std::uint64_t step = 0; step < kSteps; ++step)
    for (std::int64_t row = 0; row < 10; ++row)
      ++counts.at(static_cast<std::size_t>(batches.start(step, row)));
  const double expected = kSteps * 10 / 20.0;
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi2, 43.8);  // 19 degrees of freedom, p = 0.001
  EXPECT_EQ(batches.windows_per_epoch(), 0);
  EXPECT_EQ(batches.reachable().size(), 28u);
}

TEST(Crops, OneWindowIsEnough) {
  const Ids tokens = positions(9);
  Batches batches(tokens, 8, 3, 1);
  EXPECT_EQ(batch(batches, 8, 0, 2, 1).y, (Ids{1, 2, 3, 4, 5, 6, 7, 8}));
}

/// The starts an epoch visits, in order.
std::vector<std::int64_t> epoch_starts(Batches& batches, std::int64_t epoch, std::int64_t B) {
  std::vector<std::int64_t> starts;
  const std::int64_t W = batches.windows_per_epoch();
  for (std::int64_t i = epoch * W; i < (epoch + 1) * W; ++i)
    starts.push_back(batches.start(static_cast<std::uint64_t>(i / B), i % B));
  return starts;
}

TEST(Epochs, VisitEveryWindowOncePermutedAtARandomOffset) {
  constexpr std::int64_t T = 8, B = 7, U = 203;
  const Ids tokens = positions(1000);
  Batches batches(tokens, T, B, 11, U);
  const std::int64_t W = batches.windows_per_epoch(), begin = 0;
  EXPECT_EQ(W, 24);  // floor(203/8) - 1
  EXPECT_EQ(batches.reachable().size(), static_cast<std::size_t>(U));
  std::set<std::int64_t> offsets, seen;
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 200; ++epoch) {
    std::vector<std::int64_t> starts = epoch_starts(batches, epoch, B);
    std::vector<std::int64_t> order;
    const std::int64_t offset = *std::ranges::min_element(starts) - begin;
    for (const std::int64_t start : starts) order.push_back((start - begin - offset) / T);
    orders.insert(order);
    offsets.insert(offset);
    std::ranges::sort(starts);
    for (std::int64_t k = 0; k < W; ++k)
      ASSERT_EQ(starts[static_cast<std::size_t>(k)], begin + offset + k * T) << "epoch " << epoch;
    ASSERT_LE(starts.back() + T, begin + U - 1);  // the last target is inside the stretch
    for (const std::int64_t start : starts)
      for (std::int64_t t = 0; t <= T; ++t) seen.insert(start + t);
  }
  EXPECT_EQ(static_cast<std::int64_t>(offsets.size()), U - W * T);
  EXPECT_EQ(orders.size(), 200u);
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), U);
}

TEST(Epochs, PermutationsAreUniform) {
  const Ids tokens = positions(100);
  Batches batches(tokens, 4, 1, 5, 16);  // W = 3: 6 orders
  ASSERT_EQ(batches.windows_per_epoch(), 3);
  std::map<std::vector<std::int64_t>, int> counts;
  constexpr int kEpochs = 6000;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    std::vector<std::int64_t> starts = epoch_starts(batches, epoch, 1);
    const std::int64_t first = *std::ranges::min_element(starts);
    for (std::int64_t& start : starts) start -= first;
    ++counts[starts];
  }
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, kEpochs / 6, 4 * 29);  // 4 sd
}

TEST(Epochs, SmallStretchesStillHaveAWindow) {
  const Ids tokens = positions(100);
  for (const std::int64_t U : {9, 10, 15, 16, 17, 23, 24}) {
    Batches batches(tokens, 8, 5, 2, U);
    EXPECT_EQ(batches.windows_per_epoch(), U < 24 ? 1 : 2);
    const std::set<std::int32_t> inside(batches.reachable().begin(), batches.reachable().end());
    std::set<std::int64_t> offsets;
    for (std::uint64_t step = 0; step < 100; ++step) {
      const Batch b = batch(batches, 8, step, 0, 5);
      for (const std::int32_t token : b.x) ASSERT_TRUE(inside.contains(token));
      for (const std::int32_t token : b.y) ASSERT_TRUE(inside.contains(token));
      for (std::int64_t row = 0; row < 5; ++row) offsets.insert(batches.start(step, row));
    }
    // Where windows start: U - W·T offsets, and T further for the second window.
    EXPECT_EQ(static_cast<std::int64_t>(offsets.size()), U < 24 ? U - 8 : 16) << U;
  }
}

TEST(Epochs, TheSeedPlacesTheStretch) {
  const Ids tokens = positions(100);
  std::set<std::int64_t> places;
  bool over_the_end = false;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Batches batches(tokens, 8, 2, seed, 90);
    const auto stretch = batches.reachable();
    places.insert(stretch.front());
    for (std::size_t i = 0; i < stretch.size(); ++i)
      ASSERT_EQ(stretch[i], (stretch.front() + static_cast<std::int32_t>(i)) % 100);
    over_the_end = over_the_end || stretch.front() > stretch[stretch.size() - 1];
  }
  EXPECT_EQ(places.size(), 100u);  // every place
  EXPECT_TRUE(over_the_end);
  EXPECT_EQ(Batches(tokens, 8, 2, 4, 100).reachable().front(), 0);
}

TEST(Epochs, AShorterStretchIsTheBeginningOfALongerOne) {
  const Ids tokens = positions(100);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Batches quarter(tokens, 4, 2, seed, 20), whole(tokens, 4, 2, seed, 80);
    EXPECT_TRUE(std::ranges::equal(quarter.reachable(), whole.reachable().first(20))) << seed;
  }
}

TEST(BatchErrors, NameTheValuesAndTheWayOut) {
  const Ids tokens = positions(100);
  const auto text = [&](std::int64_t T, std::int64_t B, std::optional<std::int64_t> unique) {
    return tests::error_of([&] { Batches(tokens, T, B, 1, unique); });
  };
  EXPECT_EQ(text(8, 2, 101),
            "101 unique tokens are more than the training split's 100; use more --epochs, a "
            "smaller --budget or a longer text");
  EXPECT_NE(text(8, 2, 8).find("8 unique tokens are fewer than a window of block size 8"),
            std::string::npos);
  EXPECT_NE(text(8, 2, -5).find("-5 unique tokens"), std::string::npos);
  EXPECT_NE(text(100, 2, {}).find("has 100 tokens, block size 100"), std::string::npos);
  EXPECT_NE(text(0, 2, {}).find("block size 0"), std::string::npos);
  EXPECT_NE(text(8, 0, {}).find("batch 0"), std::string::npos);
  EXPECT_EQ(text(99, 2, 100), "");
}

TEST(EvalWindows, PredictEveryTokenButTheFirstOnce) {
  constexpr std::int64_t T = 8, kRows = 3;
  for (std::int64_t n = 0; n <= 60; ++n) {
    const Ids tokens = positions(n);
    std::vector<int> predicted(static_cast<std::size_t>(n));
    std::int64_t valid = 0;
    const std::int64_t windows = data::eval_windows(tokens, T);
    EXPECT_EQ(windows, n < 2 ? 0 : (n - 1 + T - 1) / T);
    for (std::int64_t first = 0; first < windows; first += kRows) {
      Ids x(kRows * T, 99), y(kRows * T, 99);
      const std::int64_t got = data::fill_eval(tokens, T, first, kRows, x.data(), y.data());
      valid += got;
      EXPECT_EQ(got, std::ranges::count_if(y, [](auto id) { return id != data::kIgnore; }));
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (y[i] == data::kIgnore) {
          EXPECT_EQ(x[i], 0);
          continue;
        }
        EXPECT_EQ(y[i], x[i] + 1);
        EXPECT_EQ(x[i], first * T + static_cast<std::int64_t>(i));
        ++predicted.at(static_cast<std::size_t>(y[i]));
      }
    }
    EXPECT_EQ(valid, std::max<std::int64_t>(0, n - 1));
    for (std::size_t i = 0; i < predicted.size(); ++i) EXPECT_EQ(predicted[i], i > 0) << n;
  }
}

TEST(EvalWindows, RowsBehindTheEndArePadding) {
  const Ids tokens = positions(20);
  Ids x(2 * 8, 5), y(2 * 8, 5);
  EXPECT_EQ(data::fill_eval(tokens, 8, 3, 2, x.data(), y.data()), 0);
  EXPECT_EQ(x, Ids(16, 0));
  EXPECT_EQ(y, Ids(16, data::kIgnore));
  EXPECT_NE(tests::error_of([&] { data::eval_windows(tokens, 0); }).find("block size 0"),
            std::string::npos);
}

}  // namespace
