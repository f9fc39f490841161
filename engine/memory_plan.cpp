#include "engine/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace engine {

Layout plan_memory(std::span<const Lifetime> buffers) {
  Layout layout;
  layout.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    const Lifetime& want = buffers[i];
    if (want.bytes == 0) continue;
    const std::size_t need = align_up(want.bytes);
    std::size_t gap_start = 0, best = std::numeric_limits<std::size_t>::max(), best_size = best;
    for (const std::size_t j : placed) {
      const Lifetime& other = buffers[j];
      if (other.last < want.first || want.last < other.first) continue;
      const std::size_t begin = layout.offsets[j];
      if (begin >= gap_start + need && begin - gap_start < best_size) {
        best = gap_start;
        best_size = begin - gap_start;
      }
      gap_start = std::max(gap_start, begin + align_up(other.bytes));
    }
    layout.offsets[i] = best == std::numeric_limits<std::size_t>::max() ? gap_start : best;
    layout.total = std::max(layout.total, layout.offsets[i] + need);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](std::size_t a, std::size_t b) {
                                     return layout.offsets[a] < layout.offsets[b];
                                   }),
                  i);
  }
  return layout;
}

}  // namespace engine
