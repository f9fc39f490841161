// Sums over ranks while backward goes on: when, of what, on whose thread, and what becomes of
// errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>

#include "base/parallel.h"
#include "tests/train/ranks_in_threads.h"
#include "tests/train/small_corpus.h"
#include "train/trainer.h"

namespace train {
namespace {

/// Rank 0 of two; the other has zeros everywhere. Keeps what it sends, and is lost after some
/// calls.
class Recorder final : public Communicator {
 public:
  struct Sent {
    std::span<const std::byte> bytes;
    std::thread::id by;
  };
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void exchange(int, std::span<const std::byte> out, std::span<std::byte> in) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !held_; });
    call();
    std::memset(in.data(), 0, in.size());
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    takes_signals = sigismember(&blocked, SIGTERM) == 0;
    sent_.push_back({out, std::this_thread::get_id()});
    changed_.notify_all();
  }
  void broadcast(std::span<std::byte>) override {
    const std::lock_guard lock(mutex_);
    call();
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  std::vector<Sent> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  /// Until so many exchanges are over, or it is lost. False: never within a minute.
  bool wait_for(std::size_t exchanges) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1),
                             [&] { return lost_ || sent_.size() >= exchanges; });
  }
  int calls_left = 1000;
  std::atomic<bool> takes_signals = true;

 private:
  void call() {
    if (calls_left-- > 0) return;
    lost_ = true;
    changed_.notify_all();
    throw RankLost("gone");
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false, lost_ = false;
  std::vector<Sent> sent_;
};

TEST(Buckets, CoverAllGradientsOnceInWholeParameters) {
  engine::Params params;
  for (const int n : {3, 700, 20, 1, 300, 5, 5})
    params.declare("p" + std::to_string(n) + "." + std::to_string(params.list().size()), {n}, {});
  params.declare("state", {99}, {}, false);
  params.allocate(1);
  for (const std::size_t bytes : {0, 1, 64, 1000, 2000, 2800, 5000}) {
    Buckets buckets(params, bytes);
    std::size_t end = params.gradients().size();
    for (const auto& range : buckets.list()) {
      EXPECT_EQ(range.end, end);
      if (bytes > 0 && buckets.list().size() > 1) {
        EXPECT_GE(4 * (range.end - range.begin), bytes);
      }
      end = range.begin;
    }
    EXPECT_EQ(end, 0U);
    EXPECT_EQ(buckets.list().size(), bytes == 1 || bytes == 64 ? 7U : bytes == 1000 ? 2U : 1U);
    for (int pass = 0; pass < 2; ++pass) {
      buckets.begin();
      std::size_t complete = 0;
      for (const int param : {6, 0, 5, 3, 4, 2, 1}) complete += buckets.complete(param) != nullptr;
      EXPECT_EQ(complete, buckets.list().size());
    }
  }
}

TEST(BackgroundReducer, TakesRangesInOrderAndLeavesTheRestToWhoFinishes) {
  std::vector<float> values(30000, 1);
  Recorder ranks;
  BackgroundReducer sum(ranks, [&](GradientRange range) {
    ranks.all_reduce(std::span(values).subspan(range.begin, range.size()));
  });
  sum.push({0, 10000});
  ASSERT_TRUE(ranks.wait_for(2)) << "there and back";
  EXPECT_FALSE(ranks.takes_signals);
  ranks.hold(true);
  sum.push({10000, 20000});
  sum.push({20000, 30000});
  std::thread free([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ranks.hold(false);
  });
  sum.finish();
  free.join();
  const auto sent = ranks.sent();
  ASSERT_EQ(sent.size(), 6U);
  const auto* begin = reinterpret_cast<const std::byte*>(values.data());
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ((sent[i].bytes.data() - begin) / 40000, static_cast<std::ptrdiff_t>(i / 2));
  EXPECT_NE(sent[0].by, std::this_thread::get_id());
  EXPECT_EQ(sent[5].by, std::this_thread::get_id());
  sum.finish();
  EXPECT_EQ(ranks.sent().size(), 6U);
}

TEST(BackgroundReducer, GivesItsErrorsToWhoFinishesAndGoesOn) {
  std::vector<float> values(10000, 1);
  Recorder ranks;
  BackgroundReducer sum(ranks, [&](GradientRange range) {
    ranks.all_reduce(std::span(values).subspan(range.begin, range.size()));
  });
  ranks.calls_left = 1;
  sum.push({0, values.size()});
  EXPECT_THROW(sum.finish(), RankLost);
  ranks.calls_left = 2;
  sum.push({0, values.size()});
  sum.finish();
  EXPECT_EQ(ranks.sent().size(), 3U);
  ranks.hold(true);
  sum.push({0, values.size()});
  ranks.calls_left = 0;
  ranks.hold(false);  // ends with an error that nobody asks for
}

/// A model of several buckets.
Settings several_buckets(const std::vector<Assignment>& given) {
  std::vector<Assignment> all = {{"n_layer", "1", ""},  {"n_head", "2", ""},
                                 {"n_embd", "256", ""}, {"block_size", "8", ""},
                                 {"batch", "8", ""},    {"budget", "9steps", ""},
                                 {"lr", "0.01", ""},    {"shards", "4", ""}};
  all.insert(all.end(), given.begin(), given.end());
  const Settings s = resolve({}, all);
  validate(s);
  return s;
}

/// Parameters with the norms' statistics, and moments.
std::vector<float> left_by(const Trainer& trainer) {
  const TrainState& s = trainer.state();
  std::vector<float> all;
  for (std::size_t i = 0; i < s.params->list().size(); ++i) {
    const float* value = s.params->value(static_cast<int>(i));
    all.insert(all.end(), value, value + s.params->list()[i].shape.numel());
  }
  all.insert(all.end(), s.moments.first(), s.moments.first() + 2 * s.moments.floats);
  return all;
}

/// Before the last op of this process's last shard is behind, waits for so many exchanges.
class AtTheEndOfBackward final : public StepObserver {
 public:
  AtTheEndOfBackward(Trainer& trainer, Recorder& ranks, int passes, std::size_t exchanges)
      : last_(trainer.plan().events().size() - 1),
        ranks_(ranks),
        passes_(passes),
        exchanges_(exchanges) {
    trainer.observe(this);
  }
  void phase(Phase, double) override {}
  void event(std::size_t index, double) override {
    if (index != last_ || --passes_ != 0) return;
    EXPECT_TRUE(ranks_.wait_for(exchanges_)) << "nothing is summed before backward ends";
    sent = ranks_.sent();
  }
  std::vector<Recorder::Sent> sent;

 private:
  std::size_t last_;
  Recorder& ranks_;
  int passes_;
  std::size_t exchanges_;
};

class Overlap : public testing::Test {
 protected:
  Overlap() : task(tests::small_task(400, 60)) {}
  static std::size_t buckets(Trainer& trainer) {
    return Buckets(trainer.params(), GradientReducer::kBucket).list().size();
  }

  LanguageModelling task;
};

TEST_F(Overlap, SumsEachGradientOnceAndAllButTheLastBucketBeforeBackwardEnds) {
  Trainer trainer(several_buckets({{"grad_accum", "2", ""}, {"batch", "16", ""}}), task);
  const std::size_t n = buckets(trainer);
  ASSERT_GE(n, 3U);
  Recorder ranks;
  trainer.lead(ranks);
  for (std::uint64_t step = 0; step < 2; ++step) {
    const std::size_t before = ranks.sent().size(), early = before + 2 * (n - 1);
    AtTheEndOfBackward end(trainer, ranks, 2 * 2, early);  // shards by micro-steps
    trainer.step(step, 0.5);
    trainer.observe(nullptr);
    EXPECT_EQ(end.sent.size(), early) << "no more than is complete, none of shards before the last";
    for (std::size_t i = before; i < end.sent.size(); ++i)
      EXPECT_NE(end.sent[i].by, std::this_thread::get_id());

    // Each of two ranks sends one half of a range to be summed and the other when it is.
    const std::span<float> gradients = trainer.params().gradients();
    const std::byte* begin = std::as_bytes(gradients).data();
    std::vector<int> times(gradients.size(), 0);
    const auto sent = ranks.sent();
    for (std::size_t i = before; i < sent.size(); ++i) {
      const std::ptrdiff_t at = sent[i].bytes.data() - begin;
      if (at < 0 || at >= std::ssize(gradients) * 4) continue;  // the loss
      for (std::size_t k = 0; k < sent[i].bytes.size() / 4; ++k)
        ++times[static_cast<std::size_t>(at) / 4 + k];
    }
    EXPECT_EQ(std::count(times.begin(), times.end(), 1), std::ssize(times));
  }
}

TEST_F(Overlap, GivesTheBitsOfOneProcess) {
  for (const std::vector<Assignment>& given :
       {std::vector<Assignment>{{"reg", "dropout:0.2+r_drop:1", ""}, {"shards", "8", ""}},
        {{"reg", "drop_connect:0.2", ""}, {"norm", "batchnorm", ""}},
        {{"grad_accum", "2", ""}, {"recompute", "true", ""}}}) {
    const Settings s = several_buckets(given);
    const auto steps = [](Trainer& trainer) {
      for (std::uint64_t step = 0; step < 2; ++step) trainer.step(step, 0.5);
      trainer.gather_moments();
      trainer.gather_gradients();
      std::vector<float> left = left_by(trainer);
      const std::span<float> gradients = trainer.params().gradients();
      left.insert(left.end(), gradients.begin(), gradients.end());
      return left;
    };
    Trainer alone(s, task);
    ASSERT_GE(buckets(alone), 3U);
    const std::vector<float> want = steps(alone);
    for (const int size : {2, 4})
      for (const bool shard_moments : {false, true})
        tests::as_ranks(size, [&](tests::ThreadRanks& ranks) {
          base::use_threads(1);
          Trainer trainer(s, task);
          std::vector<float> got;
          if (ranks.rank() == 0) {
            trainer.lead(ranks, shard_moments);
            got = steps(trainer);
            send_command(ranks, {RankCommand::Kind::kEnd});
          } else {
            trainer.follow(ranks);
            got = left_by(trainer);  // with moments, where it has them all
          }
          ASSERT_GT(got.size(), 0U);
          ASSERT_LE(got.size(), want.size());
          EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)), 0)
              << given[0].name << "=" << given[0].value << ", rank " << ranks.rank();
          EXPECT_EQ(ranks.rank() == 0, got.size() == want.size());
        });
  }
}

TEST_F(Overlap, AnErrorInTheBackgroundLeavesTheLastWholeStep) {
  Trainer trainer(several_buckets({{"norm", "batchnorm", ""}}), task);
  trainer.step(0, 0.5);
  const std::vector<float> before = left_by(trainer);
  const std::size_t n = buckets(trainer);
  int calls = 0;
  for (bool lost = true; lost; ++calls) {
    Recorder ranks;
    trainer.lead(ranks);
    ranks.calls_left = calls;
    AtTheEndOfBackward end(trainer, ranks, 2, 2 * (n - 1));
    lost = false;
    try {
      trainer.step(1, 0.5);
    } catch (const RankLost&) {
      lost = true;
      trainer.undo_step();
    }
    trainer.observe(nullptr);
    ASSERT_EQ(left_by(trainer) == before, lost) << calls << " calls";
  }
  EXPECT_EQ(static_cast<std::size_t>(calls), 1 + 2 + 2 * n + 1 + 2)
      << "two orders, buckets and statistics there and back, the loss; then nobody is lost";
}

}  // namespace
}  // namespace train
