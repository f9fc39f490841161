// The order in which a fixed number of rows is shown, again and again.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/rng.h"

namespace data {

/// Every epoch shows each of n rows once, in an order drawn for that epoch: row r of step s is
/// number s·B + r of this sequence, a pure function of (seed, step, row). A batch may straddle
/// epochs.
class RowOrder {
 public:
  /// Throws Error for no row, for more than 32 bits count.
  RowOrder(std::int64_t rows, std::int64_t batch, std::uint64_t seed);

  /// Allocates nothing. Not for concurrent calls: the epoch's order is cached.
  std::uint32_t at(std::uint64_t step, std::int64_t row);
  std::int64_t rows() const { return static_cast<std::int64_t>(order_.size()); }

 private:
  void shuffle(std::uint64_t epoch);

  std::uint64_t batch_;
  engine::Key key_;
  std::uint64_t epoch_ = 0;  // whose order is cached
  std::vector<std::uint32_t> order_;
};

/// 0 … order.size() − 1 in an order drawn from `random` (Fisher & Yates).
void shuffle(std::vector<std::uint32_t>& order, engine::Sequence random);

}  // namespace data
