// Loops over fixed-size chunks: what one chunk computes never depends on the number of threads.
#pragma once
#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace engine {

/// Chunks that cover n elements.
constexpr std::int64_t chunks(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

/// f(chunk, begin, end) for every chunk of [0, n), in parallel. REQUIRES: f does not throw.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t size, const F& f) {
  const std::int64_t count = chunks(n, size);
  if (count <= 1) {
    if (count == 1) f(std::int64_t{0}, std::int64_t{0}, n);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < count; ++c) f(c, c * size, std::min(n, (c + 1) * size));
}

inline int max_threads() { return omp_get_max_threads(); }

}  // namespace engine
