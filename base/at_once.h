// A loop over many files, on several threads that are gone when it ends.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace base {

/// f(i) for every i below n, in any order, on all processors, whatever threads a run has. What f
/// throws, this throws. Not OpenMP's threads, which stay, and would then take the signals that
/// lab::Processes waits for.
template <class F>
void for_each_at_once(std::size_t n, const F& f) {
  constexpr std::size_t kChunk = 64;
  std::atomic<std::size_t> next = 0;
  base::Thrown thrown;
  const auto work = [&] {
    for (std::size_t at; (at = next.fetch_add(kChunk)) < n;)
      thrown.guard([&] {
        for (std::size_t i = at; i < std::min(n, at + kChunk); ++i) f(i);
      });
  };
  std::vector<std::jthread> threads;
  const auto count = static_cast<std::size_t>(omp_get_num_procs());
  for (std::size_t t = 1; t < std::min(count, n / kChunk); ++t) threads.emplace_back(work);
  work();
  threads.clear();
  thrown.rethrow();
}

}  // namespace base
