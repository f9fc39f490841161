// Lays buffers out in one arena from their lifetimes.
//
// Example:
//     // The first two buffers live together; the third one takes the place of the first.
//     const std::vector<engine::Lifetime> buffers = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}};
//     const engine::Layout layout = engine::plan_memory(buffers);
//     assert(layout.total == 256 && layout.offsets[2] == layout.offsets[0]);
#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace engine {

inline constexpr std::size_t kAlign = 64;
constexpr std::size_t align_up(std::size_t n) { return (n + kAlign - 1) / kAlign * kAlign; }

/// A buffer that must exist from event `first` to event `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0, last = 0;
};

struct Layout {
  std::vector<std::size_t> offsets;  // one a buffer, multiples of kAlign
  std::size_t total = 0;             // bytes of the arena
};

/// Greedy best fit, largest buffer first (Pisarchyk & Lee 2020, "greedy by size"): no two buffers
/// whose lifetimes overlap share a byte.
Layout plan_memory(std::span<const Lifetime> buffers);

}  // namespace engine
