// Loops over fixed-size chunks: what one chunk computes never depends on the number of threads.
#pragma once
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>

namespace base {

/// Carries an exception out of a parallel region: one that left a thread's share of the region by
/// itself would end the process. Of several the first to be thrown is kept.
class Thrown {
 public:
  /// f(), unless something was thrown before: what is lost already need not be finished.
  template <class F>
  void guard(const F& f) noexcept {
    if (any_.load(std::memory_order_relaxed)) return;
    try {
      f();
    } catch (...) {
      if (!any_.exchange(true)) what_ = std::current_exception();
    }
  }
  /// Behind the region: throws what was thrown within it.
  void rethrow() {
    if (what_) std::rethrow_exception(std::exchange(what_, nullptr));
  }

 private:
  std::atomic<bool> any_ = false;
  std::exception_ptr what_;
};

/// The number of threads from now on; 0: as it is.
inline void use_threads(std::int64_t n) {
  if (n > 0) omp_set_num_threads(static_cast<int>(n));
}

/// Chunks that cover n elements.
constexpr std::int64_t chunks(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// f(chunk, begin, end) for every chunk of [0, n), in parallel. What f throws, this throws; chunks
/// that had not begun by then are left out.
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

/// f(i) for every i of [0, n), in parallel: for arithmetic on arrays, which f only indexes.
template <class F>
void parallel_elements(std::int64_t n, const F& f) {
  constexpr std::int64_t kSize = 16384;
  parallel_chunks(n, kSize, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) f(i);
  });
}

inline int max_threads() { return omp_get_max_threads(); }

}  // namespace base
