#include "train/optim/parts.h"

#include <algorithm>

namespace train {
namespace {
constexpr std::size_t kTurn = std::size_t{1} << 13;  // floats after which another rank has a half
}  // namespace

std::size_t Cuts::middle(Part all) const {
  const std::size_t half = all.begin + all.size() / 2;
  if (!places_) return half;
  const auto next = std::lower_bound(places_->begin(), places_->end(), half);
  const std::size_t above = next == places_->end() ? all.end : std::min(*next, all.end),
                    below = next == places_->begin() ? all.begin : std::max(*(next - 1), all.begin);
  return half - below < above - half ? below : above;
}

std::vector<Halves> halvings(Part all, int rank, int size, const Cuts& cuts) {
  const auto turn = static_cast<unsigned>(all.begin / kTurn),
             place = static_cast<unsigned>(rank) ^ turn;
  std::vector<Halves> out;
  for (unsigned distance = 1; distance < static_cast<unsigned>(size); distance *= 2) {
    const std::size_t middle = cuts.middle(all);
    const Part low{all.begin, middle}, high{middle, all.end};
    out.push_back((place & distance) == 0 ? Halves{low, high} : Halves{high, low});
    all = out.back().kept;
  }
  return out;
}

Part part_of(Part all, int rank, int size, const Cuts& cuts) {
  const std::vector<Halves> levels = halvings(all, rank, size, cuts);
  return levels.empty() ? all : levels.back().kept;
}

}  // namespace train
