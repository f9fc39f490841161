// How gradients are cut over the processes of a run, by halving: which part each ends with.
#pragma once
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace train {

/// Floats [begin, end) of Params::gradients(), or of what is summed.
struct Part {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};

/// Where halving may cut.
class Cuts {
 public:
  Cuts() = default;  // anywhere
  /// At these places alone, ascending.
  explicit Cuts(std::vector<std::size_t> places) : places_(std::move(places)) {}
  /// In the middle, or at the nearest place or end.
  std::size_t middle(Part all) const;

 private:
  std::optional<std::vector<std::size_t>> places_;
};

/// What a rank keeps and what it gives to a partner.
struct Halves {
  Part kept, given;
};

/// With the partners at distance 1, 2, 4, …, each of what was kept before. Which half is whose
/// hangs on where `all` begins, so that over many ranges nobody has always the larger ones.
/// REQUIRES: `size` is a power of two.
std::vector<Halves> halvings(Part all, int rank, int size, const Cuts& cuts);
/// What is kept in the end: over all ranks, each float once.
Part part_of(Part all, int rank, int size, const Cuts& cuts);

}  // namespace train
