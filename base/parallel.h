// Loops on several threads. What one chunk computes never depends on the number of threads.
#pragma once
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace base {

/// Carries the first exception thrown in a parallel region out of it; left alone it would end the
/// process.
class Thrown {
 public:
  /// Runs f(), unless something was thrown before.
  template <class F>
  void guard(const F& f) noexcept {
    if (any_.load(std::memory_order_relaxed)) return;
    try {
      f();
    } catch (...) {
      if (!any_.exchange(true)) what_ = std::current_exception();
    }
  }
  /// Call after the region: throws what was thrown inside it.
  void rethrow() {
    if (what_) std::rethrow_exception(std::exchange(what_, nullptr));
  }

 private:
  std::atomic<bool> any_ = false;
  std::exception_ptr what_;
};

/// Sets the number of OpenMP threads; 0 leaves it.
inline void use_threads(std::int64_t n) {
  if (n > 0) omp_set_num_threads(static_cast<int>(n));
}

/// Number of chunks of `size` that cover n elements.
constexpr std::int64_t chunks(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// Calls f(chunk, begin, end) for every chunk of [0, n), in parallel. An exception stops chunks
/// that have not begun and is thrown again here.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t size, const F& f) {
  const std::int64_t count = chunks(n, size);
  if (count <= 1) {
    if (count == 1) f(std::int64_t{0}, std::int64_t{0}, n);
    return;
  }
  Thrown thrown;
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < count; ++c)
    thrown.guard([&] { f(c, c * size, std::min(n, (c + 1) * size)); });
  thrown.rethrow();
}

/// Calls f(i) for every i of [0, n), in parallel and vectorized: for arithmetic on arrays.
template <class F>
void parallel_elements(std::int64_t n, const F& f) {
  constexpr std::int64_t kSize = 16384;
  parallel_chunks(n, kSize, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) f(i);
  });
}

/// Calls f(i) for every i of [0, n), in any order, on all processors, whatever OpenMP is set to.
/// Throws what f throws. The threads end with the call: OpenMP's would stay and take the signals
/// that lab::Processes waits for.
template <class F>
void for_each_at_once(std::size_t n, const F& f) {
  constexpr std::size_t kChunk = 64;
  std::atomic<std::size_t> next = 0;
  Thrown thrown;
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

inline int max_threads() { return omp_get_max_threads(); }

}  // namespace base
