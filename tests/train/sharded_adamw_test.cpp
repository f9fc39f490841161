// Which part of gradients and moments each rank has, and what goes over the link for it. (That the
// bits are those of one process: gradient_reducer_test.cpp, overlap_test.cpp.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "tests/train/ranks_in_threads.h"
#include "tests/train/small_corpus.h"
#include "train/distributed/gradient_reducer.h"
#include "train/run.h"
#include "train/watches.h"

namespace train {
namespace {

TEST(Parts, CoverAllOnceAndAreCutWhereTheyMay) {
  const Cuts places = {100, 108, 500, 501, 502, 900, 901, 5000};
  for (const Cuts& cuts : {places, Cuts()})
    for (const int size : {1, 2, 4, 8, 16}) {
      std::vector<int> times(1000, 0);
      for (int rank = 0; rank < size; ++rank) {
        const GradientRange part = Communicator::owned_range({100, 1000}, rank, size, cuts);
        ASSERT_LE(part.begin, part.end);
        for (std::size_t i = part.begin; i < part.end; ++i) ++times[i];
      }
      for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], i >= 100 ? 1 : 0) << i;
    }
  EXPECT_EQ(middle({100, 1000}, nullptr), 550U);
  EXPECT_EQ(middle({100, 1000}, &places), 502U) << "the nearest place";
  EXPECT_EQ(middle({400, 1200}, &places), 900U) << "also behind the middle";
  EXPECT_EQ(middle({501, 503}, &places), 502U) << "the place itself";
  EXPECT_EQ(middle({902, 1000}, &places), 1000U) << "no place is left";
}

TEST(Parts, ScatterAndGatherAreTheTwoHalvesOfTheSum) {
  constexpr std::size_t kCount = 100'000;
  Cuts places;
  for (std::size_t i = 0; i < kCount; i += 1000) places.push_back(i);
  const GradientRange all{3000, kCount};
  for (const int size : {2, 4, 8}) {
    std::vector<std::vector<float>> whole(static_cast<std::size_t>(size));
    tests::as_ranks(size, [&](tests::ThreadRanks& ranks) {
      std::vector<float> mine(kCount);
      for (std::size_t i = 0; i < kCount; ++i)
        mine[i] = 1.0F / static_cast<float>(i + 7 * static_cast<std::size_t>(ranks.rank()) + 1);
      std::vector<float> summed = mine;
      ranks.all_reduce(std::span(summed));
      const std::size_t before = ranks.bytes;
      ranks.reduce_scatter(mine, all, places);
      const double half = static_cast<double>(ranks.bytes - before);
      const GradientRange part = Communicator::owned_range(all, ranks.rank(), size, places);
      for (std::size_t i = part.begin; i < part.end; ++i) ASSERT_EQ(mine[i], summed[i]) << i;
      std::fill(mine.begin() + static_cast<std::ptrdiff_t>(all.begin),
                mine.begin() + static_cast<std::ptrdiff_t>(part.begin), -1.0F);
      std::fill(mine.begin() + static_cast<std::ptrdiff_t>(part.end), mine.end(), -1.0F);
      ranks.all_gather(mine, all, places);
      for (std::size_t i = all.begin; i < all.end; ++i) ASSERT_EQ(mine[i], summed[i]) << i;
      const double share = (size - 1.0) / size * static_cast<double>(all.size() * sizeof(float));
      EXPECT_NEAR(half, share, 0.05 * share);
      EXPECT_NEAR(static_cast<double>(ranks.bytes - before), 2 * share, 0.05 * share);
    });
  }
}

Settings cut_settings(const char* n_embd, const char* shards) {
  const std::vector<Assignment> given = {{"n_layer", "1", ""},   {"n_head", "2", ""},
                                         {"n_embd", n_embd, ""}, {"block_size", "8", ""},
                                         {"batch", "16", ""},    {"budget", "9steps", ""},
                                         {"shards", shards, ""}};
  return resolve({}, given);
}

TEST(ShardedAdamW, AreDealtCollectedAndNowhereElse) {
  const LanguageModelling task = tests::small_task(400, 60);
  const Settings s = cut_settings("128", "4");
  Trainer alone(s, task);
  alone.step(0, 0.5);
  const Moments& want = alone.state().moments;
  tests::as_ranks(4, [&](tests::ThreadRanks& ranks) {
    base::use_threads(1);
    RunPlan plan(s, task);
    const std::size_t all = plan.memory.optimizer;
    if (ranks.rank() != 0) plan.shard_moments(4);
    EXPECT_EQ(plan.memory.optimizer, ranks.rank() == 0 ? all : all / 4);
    Trainer trainer(std::move(plan));
    TrainState& state = trainer.state();
    if (ranks.rank() != 0) {
      trainer.follow(ranks);
      EXPECT_TRUE(trainer.shards_moments());
      EXPECT_EQ(state.moments.floats, 0U);
      return;
    }
    // What was there is dealt.
    std::copy_n(want.first(), 2 * want.floats, state.moments.first());
    state.moments.updates = want.updates;
    trainer.lead(ranks, true);
    EXPECT_EQ(state.moments.floats, 0U) << "each has its own part alone";
    for (int again = 0; again < 2; ++again) {
      trainer.gather_moments();
      ASSERT_EQ(state.moments.floats, want.floats);
      EXPECT_EQ(state.moments.updates, 1);
      EXPECT_EQ(std::memcmp(state.moments.first(), want.first(), 2 * want.floats * sizeof(float)),
                0);
    }
    trainer.step(1, 0.5);
    EXPECT_EQ(state.moments.floats, 0U) << "those of the step before";
    send_command(ranks, {RankCommand::Kind::kEnd});
  });
}

/// Among others that it never speaks with.
class Silent final : public Communicator {
 public:
  Silent(int rank, int size) : rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void exchange(int, std::span<const std::byte>, std::span<std::byte>) override { std::abort(); }
  void broadcast(std::span<std::byte>) override { std::abort(); }

 private:
  int rank_, size_;
};

// A rank with the larger half of every range would have most of all: 1.32 of the mean, and
// not 1.17.
TEST(ShardedAdamW, AreEvenAndAllThere) {
  const LanguageModelling task = tests::small_task(400, 60);
  const RunPlan plan(cut_settings("384", "16"), task);
  engine::Params& params = *plan.params;
  params.allocate(1);
  AdamW optimizer(params, {});
  constexpr int kRanks = 32;
  std::size_t sum = 0, most = 0;
  for (int rank = 0; rank < kRanks; ++rank) {
    Silent ranks(rank, kRanks);
    GradientReducer gradients(params, kRanks, &ranks, optimizer.chunk_places());
    const ShardedAdamW shards(params, optimizer, gradients, ranks);
    sum += shards.floats();
    most = std::max(most, shards.floats());
  }
  EXPECT_EQ(sum, params.gradients().size());
  EXPECT_LE(static_cast<double>(most), 1.25 * static_cast<double>(sum) / kRanks);
}

/// Rank 0 of two, of which the other is gone after some calls.
class Deserted final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void exchange(int, std::span<const std::byte>, std::span<std::byte>) override { call(); }
  void broadcast(std::span<std::byte>) override { call(); }
  int calls_left = 1000;

 private:
  void call() {
    if (calls_left-- <= 0) throw RankLost("gone");
  }
};

TEST(ShardedAdamW, NormsByLayerAreOfWholeGradients) {
  const LanguageModelling task = tests::small_task(400, 60);
  tests::as_ranks(2, [&](tests::ThreadRanks& ranks) {
    base::use_threads(1);
    Trainer trainer(cut_settings("128", "2"), task);
    if (ranks.rank() != 0) return trainer.follow(ranks);
    trainer.lead(ranks, true);
    NormWatch watch(1);
    watch.before(trainer);
    trainer.advance();
    const auto norms = watch.after(trainer);
    ASSERT_TRUE(norms);
    double squares = 0;
    for (const LayerNorms& layer : norms->layers) squares += layer.gradient * layer.gradient;
    EXPECT_NEAR(std::sqrt(squares), trainer.state().grad_norm, 1e-6);
    send_command(ranks, {RankCommand::Kind::kEnd});
  });
}

TEST(ShardedAdamW, AreLostWithARank) {
  const LanguageModelling task = tests::small_task(400, 60);
  const Settings s = cut_settings("8", "2");
  Trainer trainer(s, task);
  Deserted ranks;
  trainer.lead(ranks, true);
  trainer.advance();
  ranks.calls_left = 3;
  Keeping keeping;
  keeping.save = [] { ADD_FAILURE() << "a state without moments is none to go on from"; };
  EXPECT_THROW(run(trainer, {}, keeping), RankLost);
  EXPECT_THROW(trainer.gather_moments(), RankLost);
}

}  // namespace
}  // namespace train
