#include "engine/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/rng.h"

namespace engine {
namespace {

/// The most bytes alive at one event: no layout needs less.
std::size_t lower_bound(std::span<const Lifetime> buffers, int events) {
  std::size_t most = 0;
  for (int e = 0; e < events; ++e) {
    std::size_t sum = 0;
    for (const Lifetime& b : buffers)
      if (b.first <= e && e <= b.last) sum += align_up(b.bytes);
    most = std::max(most, sum);
  }
  return most;
}

TEST(MemoryPlan, NeverOverlapsBuffersThatLiveTogether) {
  Sequence random(stream_key(1, Stream::kData), 0);
  std::size_t planned = 0, needed = 0;
  for (int trial = 0; trial < 50; ++trial) {
    constexpr int kEvents = 40;
    std::vector<Lifetime> buffers;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(random.below(kEvents));
      const int last = std::min(kEvents - 1, first + static_cast<int>(random.below(12)));
      buffers.push_back({static_cast<std::size_t>(random.below(5000)), first, last});
    }
    const Layout layout = plan_memory(buffers);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(layout.offsets[i] % kAlign, 0U);
      EXPECT_LE(layout.offsets[i] + buffers[i].bytes, layout.total);
      for (std::size_t j = 0; j < i; ++j) {
        if (buffers[i].last < buffers[j].first || buffers[j].last < buffers[i].first) continue;
        EXPECT_TRUE(layout.offsets[i] + buffers[i].bytes <= layout.offsets[j] ||
                    layout.offsets[j] + buffers[j].bytes <= layout.offsets[i])
            << "buffers " << i << " and " << j << " of trial " << trial;
      }
    }
    planned += layout.total;
    needed += lower_bound(buffers, kEvents);
    EXPECT_GE(layout.total, lower_bound(buffers, kEvents));
  }
  // Best fit by size comes within a few per cent of the bound on such lifetimes.
  EXPECT_LE(static_cast<double>(planned), 1.1 * static_cast<double>(needed));
}

TEST(MemoryPlan, ReusesDeadMemory) {
  // A chain: each buffer lives until the next one is written.
  std::vector<Lifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({1000, i, i + 1});
  EXPECT_EQ(plan_memory(chain).total, 2 * align_up(1000));
}

TEST(MemoryPlan, BothEndsOfALifetimeCount) {
  const std::vector<Lifetime> touching = {{64, 0, 1}, {64, 1, 2}}, apart = {{64, 0, 1}, {64, 2, 3}};
  EXPECT_EQ(plan_memory(touching).total, 128U);
  EXPECT_EQ(plan_memory(apart).total, 64U);
}

TEST(MemoryPlan, NothingTakesNoMemory) {
  EXPECT_EQ(plan_memory({}).total, 0U);
  const std::vector<Lifetime> empty = {{0, 0, 5}};
  EXPECT_EQ(plan_memory(empty).total, 0U);
}

}  // namespace
}  // namespace engine
