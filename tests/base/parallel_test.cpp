#include "base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "ops/gemm.h"
#include "tests/expect_error.h"

namespace {

/// The number of threads as it was, whatever a test does to it.
class Threads {
 public:
  explicit Threads(int n) : before_(omp_get_max_threads()) { omp_set_num_threads(n); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

TEST(ParallelChunks, CoversEveryElementOnce) {
  const Threads threads(3);
  std::vector<int> seen(1000, 0);
  base::parallel_chunks(1000, 7, [&](std::int64_t c, std::int64_t begin, std::int64_t end) {
    EXPECT_EQ(begin, c * 7);
    for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
  });
  EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), 1000);
  EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 1);
}

TEST(ParallelChunks, WhatAChunkThrowsComesOut) {
  for (const int n : {1, 2, 3}) {
    const Threads threads(n);
    for (const std::int64_t bad : {0, 57, 99}) {
      const auto run = [&] {
        base::parallel_chunks(100, 1, [&](std::int64_t c, std::int64_t, std::int64_t) {
          base::require(c != bad, "chunk ", c, " does not do");
        });
      };
      EXPECT_ERROR(run(), base::concat("chunk ", bad, " does not do"));
    }
  }
}

TEST(ParallelChunks, OneOfSeveralThatAreThrown) {
  const Threads threads(3);
  std::atomic<int> thrown = 0;
  const auto run = [&] {
    base::parallel_chunks(100, 1, [&](std::int64_t c, std::int64_t, std::int64_t) {
      ++thrown;
      throw base::Error(base::concat("chunk ", c));
    });
  };
  EXPECT_ERROR(run(), "chunk ");
  EXPECT_GE(thrown, 1);
  EXPECT_LE(thrown, 3) << "a thread went on after its first";
}

TEST(Gemm, AnErrorInABlockComesOut) {
  for (const int n : {1, 3}) {
    const Threads threads(n);
    ops::Gemm gemm({.m = 256, .n = 256, .k = 64, .a_row = 64, .b_row = 256, .c_row = 256},
                   ops::Way::kPartition);
    gemm.build(true, false);
    const std::vector<float> a(256 * 64, 1), b(64 * 256, 1);
    std::vector<float> c(256 * 256);
    std::vector<std::byte> scratch(gemm.scratch_bytes());
    gemm.run(a.data(), b.data(), nullptr, c.data(), scratch.data(), false);
    EXPECT_EQ(c[0], 64);
    EXPECT_ERROR(gemm.run(a.data(), b.data(), nullptr, c.data(), scratch.data(), true),
                 "C += AB was not built");
  }
}

}  // namespace
