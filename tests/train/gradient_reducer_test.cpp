// Shards of a batch: the same bits whoever makes them, and what a batch in one piece gives.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/parallel.h"
#include "models/norm_table.h"
#include "models/regularizer_table.h"
#include "models/regularizers.h"
#include "tests/expect_error.h"
#include "tests/train/ranks_in_threads.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"

namespace train {
namespace {

template <class T>
std::vector<std::vector<T>> numbers(int size, std::size_t n) {
  std::mt19937_64 draw(n + static_cast<std::size_t>(size));
  std::normal_distribution<T> normal;
  std::vector<std::vector<T>> x(static_cast<std::size_t>(size), std::vector<T>(n));
  for (auto& of : x)
    for (T& v : of) v = normal(draw) * std::exp(T(5) * normal(draw));
  return x;
}

/// The tree over [begin, end), by itself.
template <class T>
T tree(const std::vector<std::vector<T>>& x, std::size_t begin, std::size_t end, std::size_t i) {
  if (end - begin == 1) return x[begin][i];
  const std::size_t middle = (begin + end) / 2;
  return tree(x, begin, middle, i) + tree(x, middle, end, i);
}

template <class T>
void expect_tree(int size, std::size_t n) {
  auto x = numbers<T>(size, n);
  std::vector<T> want(n);
  for (std::size_t i = 0; i < n; ++i) want[i] = tree(x, 0, x.size(), i);
  tests::as_ranks(size, [&](tests::ThreadRanks& ranks) {
    auto& mine = x[static_cast<std::size_t>(ranks.rank())];
    for (int again = 0; again < 1; ++again) ranks.all_reduce(std::span(mine));
    const double share = 2.0 * (size - 1) / size;
    if (n * sizeof(T) > 100000) {
      EXPECT_NEAR(static_cast<double>(ranks.bytes), share * static_cast<double>(n * sizeof(T)), 64);
    }
  });
  for (const auto& got : x)
    EXPECT_TRUE(n == 0 || std::memcmp(got.data(), want.data(), n * sizeof(T)) == 0)
        << size << " ranks, " << n;
}

TEST(AllReduce, GivesEveryRankTheBitsOfTheTree) {
  for (const int size : {1, 2, 4, 8, 16})
    for (const std::size_t n : {0, 1, 2, 3, 7, 64, 1023, 1024, 1025, 5000, 300001}) {
      expect_tree<float>(size, n);
      if (n < 5000) expect_tree<double>(size, n);
    }
}

Settings shard_settings(std::vector<Assignment> given) {
  std::vector<Assignment> all = {
      {"n_layer", "2", ""},    {"n_head", "2", ""},        {"n_embd", "8", ""},
      {"block_size", "8", ""}, {"batch", "8", ""},         {"budget", "6steps", ""},
      {"lr", "0.01", ""},      {"eval_interval", "3", ""}, {"shards", "4", ""}};
  all.insert(all.end(), given.begin(), given.end());
  const Settings s = resolve({}, all);
  validate(s);
  return s;
}

std::string setting_names(const std::vector<Assignment>& given) {
  std::string name;
  for (const Assignment& a : given) name += a.name + "=" + a.value + " ";
  return name;
}

/// Parameters with the norms' statistics, moments, and the losses of all steps.
std::vector<float> all_of(const Trainer& trainer) {
  const TrainState& s = trainer.state();
  std::vector<float> all = s.losses;
  all.insert(all.end(), s.grad_norms.begin(), s.grad_norms.end());
  for (std::size_t i = 0; i < s.params->list().size(); ++i) {
    const float* value = s.params->value(static_cast<int>(i));
    all.insert(all.end(), value, value + s.params->list()[i].shape.numel());
  }
  all.insert(all.end(), s.moments.first(), s.moments.first() + 2 * s.moments.floats);
  return all;
}

class Shards : public testing::Test {
 protected:
  Shards() : task(tests::small_task(400, 60)) {}

  std::vector<float> alone(const Settings& s, std::optional<double>* loss = nullptr) const {
    Trainer trainer(s, task);
    const RunResult result = run(trainer);
    if (loss != nullptr) *loss = result.val_loss;
    return all_of(trainer);
  }

  /// Rank 0's state; all must end with the same parameters and moments.
  std::vector<float> shared(const Settings& s, int size, bool shard_moments,
                            const std::string& what) const {
    std::vector<std::vector<float>> ends(static_cast<std::size_t>(size));
    std::vector<float> first;
    tests::as_ranks(size, [&](tests::ThreadRanks& ranks) {
      base::use_threads(1);
      RunPlan plan(s, task);
      if (shard_moments && ranks.rank() != 0) plan.shard_moments(static_cast<std::size_t>(size));
      Trainer trainer(std::move(plan));
      if (ranks.rank() == 0) {
        trainer.lead(ranks, shard_moments);
        run(trainer);
        trainer.gather_moments();
        send_command(ranks, {RankCommand::Kind::kEnd});
        first = all_of(trainer);
        if (shard_moments) trainer.state().moments = {};
        trainer.state().losses.clear();
        trainer.state().grad_norms.clear();
      } else {
        trainer.follow(ranks);
      }
      ends[static_cast<std::size_t>(ranks.rank())] = all_of(trainer);
    });
    if (s.recalibrate_norm) return first;  // of rank 0 alone
    for (const auto& end : ends) {
      EXPECT_EQ(end.size(), ends[0].size());
      EXPECT_EQ(std::memcmp(end.data(), ends[0].data(), end.size() * sizeof(float)), 0) << what;
    }
    return first;
  }

  void expect_same(const std::vector<Assignment>& given) const {
    const Settings s = shard_settings(given);
    const std::vector<float> one = alone(s);
    for (const auto& [size, shard_moments] : {std::pair(2, false), {4, false}, {4, true}}) {
      const std::string what = setting_names(given) + std::to_string(size) + " ranks" +
                               (shard_moments ? ", moments in shards" : "");
      const std::vector<float> many = shared(s, size, shard_moments, what);
      ASSERT_EQ(many.size(), one.size()) << what;
      EXPECT_EQ(std::memcmp(many.data(), one.data(), one.size() * sizeof(float)), 0) << what;
    }
  }

  LanguageModelling task;
};

TEST_F(Shards, AnyNumberOfRanksGivesTheSameBitsWithEveryRegularizer) {
  for (const models::Regularizer& row : models::regularizer_table())
    if (row.family == models::Family::kOptimizer)  // settings of their own
      expect_same({{std::string(row.name), "0.25", ""}});
    else
      expect_same({{"reg", std::string(row.name) + ":0.25", ""}});
}

TEST_F(Shards, WithEveryScheduleAndNorm) {
  for (const models::ScheduleKind& kind : models::schedule_kinds())
    expect_same(
        {{"reg", "dropout:0.3~" + std::string(kind.name) + (kind.takes_fraction ? ":0.5" : ""),
          ""}});
  for (const models::NormKind& kind : models::norm_kinds()) {
    expect_same({{"norm", std::string(kind.name), ""}, {"dropout", "0.2", ""}});
    if (kind.running)
      expect_same({{"norm", std::string(kind.name), ""}, {"recalibrate_norm", "true", ""}});
  }
}

TEST_F(Shards, WithMicroStepsPassesAndWhatElseASampleGoesThrough) {
  expect_same({{"shards", "4", ""}, {"grad_accum", "2", ""}, {"reg", "dropout:0.2+r_drop:1", ""}});
  expect_same({{"norm", "batchnorm", ""}, {"grad_accum", "2", ""}});
  expect_same({{"shards", "8", ""}, {"recompute", "true", ""}, {"dropout", "0.2", ""}});
  expect_same({{"target_noise", "0.3", ""}, {"unique_tokens", "64", ""}, {"stop", "best", ""}});
}

// Sums in another order, so close and not the same; masks are the same, or it would be far.
TEST_F(Shards, TrainAsOneBatchAndAsMicroStepsDo) {
  for (const char* reg : {"none", "dropout:0.3", "dropout:0.2+r_drop:1", "dropout:0.1@emb"}) {
    const auto one_step = [&](const char* shards, const char* accumulate) {
      const Settings s =
          shard_settings({{"shards", shards, ""}, {"grad_accum", accumulate, ""}, {"reg", reg, ""}});
      Trainer trainer(s, task);
      const double loss = trainer.step(0, 0.5);
      const std::span<float> g = trainer.params().gradients();
      return std::pair(loss, std::vector<float>(g.begin(), g.end()));
    };
    for (const char* n : {"2", "4", "8"}) {
      const auto sharded = one_step(n, "1");
      for (const auto& other : {one_step("1", "1"), one_step("1", n)}) {
        EXPECT_NEAR(sharded.first, other.first, 1e-6) << reg << n;
        for (std::size_t i = 0; i < other.second.size(); ++i)
          ASSERT_NEAR(sharded.second[i], other.second[i], 1e-6) << reg << " " << n << " at " << i;
      }
    }
  }
}

// Each moves them from where the step found them: from nothing, so by the whole of its own.
TEST_F(Shards, RunningStatisticsAreTheMeanOverShards) {
  const auto statistics = [&](const char* batch, const char* shards, std::int64_t steps) {
    Trainer trainer(
        shard_settings({{"norm", "batchnorm", ""}, {"batch", batch, ""}, {"shards", shards, ""}}),
        task);
    for (std::int64_t i = 0; i < steps; ++i) trainer.step(static_cast<std::uint64_t>(i), 0.5);
    const engine::Params& p = trainer.params();
    const int mean = p.find("h.0.ln_1.running_mean"),
              count = p.find("h.0.ln_1.num_batches_tracked");
    EXPECT_GE(mean, 0);
    EXPECT_GE(count, 0);
    std::vector<float> out(p.value(mean), p.value(mean) + 8);
    out.push_back(*p.value(count));
    return out;
  };
  // Means over rows, so the mean of the shards' is that of the batch.
  const auto whole = statistics("8", "1", 1), parts = statistics("8", "4", 1);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i], whole[i], 1e-6);
  EXPECT_EQ(parts.back(), 1);
  EXPECT_EQ(statistics("8", "4", 3).back(), 3) << "a step counts once";
}

TEST_F(Shards, AreCountedInMemory) {
  const Trainer one(shard_settings({{"shards", "1", ""}}), task),
      eight(shard_settings({{"shards", "8", ""}}), task);
  EXPECT_EQ(one.memory().shards, 0U);
  EXPECT_EQ(eight.memory().shards, 3 * eight.state().params->trainable_bytes());
  EXPECT_GT(eight.memory().shards, 0U);
}

TEST_F(Shards, ANumberThatDoesNotFitIsRefused) {
  EXPECT_ERROR(shard_settings({{"shards", "6", ""}}), "shards=6 is not a power of two");
  EXPECT_ERROR(shard_settings({{"shards", "16", ""}}),
               "shards=16 does not divide batch=8; try shards=8");
  EXPECT_ERROR(shard_settings({{"shards", "4", ""}, {"grad_accum", "4", ""}}),
               "grad_accum=4 does not divide a shard of 2 rows");
  const auto notes = train::notes(shard_settings({{"norm", "batchnorm", ""}}));
  bool told = false;
  for (const std::string& note : notes)
    told = told || note.find("shards=4: its statistics are those of each shard of 2 rows") !=
                       std::string::npos;
  EXPECT_TRUE(told);
}

/// Rank 0 of two, of which the other has the same number everywhere, and is gone after some calls.
class OneOther final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void exchange(int, std::span<const std::byte>, std::span<std::byte> in) override {
    call();
    std::memset(in.data(), answer, in.size());
  }
  void broadcast(std::span<std::byte> bytes) override {
    call();
    if (bytes.size() != sizeof(RankCommand)) return;
    RankCommand order;
    std::memcpy(&order, bytes.data(), sizeof order);
    orders.push_back(order.kind);
  }
  int answer = 0;  // each byte of its numbers
  int calls_left = 1000;
  std::vector<RankCommand::Kind> orders;

 private:
  void call() {
    if (calls_left-- <= 0) throw RankLost("gone");
  }
};

TEST_F(Shards, AreSummedOnceAStepBetweenBackwardAndTheUpdate) {
  Settings s = shard_settings({{"weight_decay", "0", ""}, {"shards", "2", ""}});
  Trainer trainer(s, task);
  OneOther other;
  other.answer = 0xFF;  // NaN
  trainer.lead(other);
  const std::vector<float> before = all_of(trainer);
  trainer.step(0, 0.5);
  EXPECT_TRUE(std::isnan(trainer.state().grad_norm));
  EXPECT_EQ(other.orders, (std::vector{RankCommand::Kind::kState, RankCommand::Kind::kGradients,
                                       RankCommand::Kind::kUpdate}));
  EXPECT_EQ(all_of(trainer), before);
}

TEST_F(Shards, AStepThatOthersLeaveUnfinishedIsUndoneAndKept) {
  const Settings s = shard_settings({{"norm", "batchnorm", ""}, {"shards", "4", ""}});
  int calls = 0;
  for (bool lost = true; lost; ++calls) {
    Trainer trainer(s, task);
    trainer.advance();
    const std::vector<float> before = all_of(trainer);
    OneOther other;
    trainer.lead(other);
    other.calls_left = calls;
    std::vector<float> kept;
    Keeping keeping;
    keeping.save = [&] { kept = all_of(trainer); };
    keeping.stop = [] { return true; };  // after one step
    lost = false;
    try {
      run(trainer, {}, keeping);
    } catch (const RankLost&) {
      lost = true;
    }
    EXPECT_EQ(kept == before, lost) << calls << " calls";
    EXPECT_EQ(trainer.state().step, lost ? 1 : 2);
  }
  EXPECT_EQ(calls, 7)
      << "two orders; loss, gradients there and back, statistics; then nobody is lost";
}

}  // namespace
}  // namespace train
