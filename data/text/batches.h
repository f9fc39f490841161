// Which tokens or rows a step sees: a pure function of (seed, step, row), so that a run can be
// resumed anywhere, and two micro-steps of 6 rows see what one step of 12 sees.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "data/text/tokens.h"
#include "engine/rng.h"

namespace data {

/// Targets the loss ignores.
inline constexpr std::int32_t kIgnore = -1;

/// Training windows of T inputs, each with the T tokens behind them as targets.
///
/// Without `unique_tokens`: crops at offsets uniform over the whole split, with replacement (as
/// nanoGPT). With it, only a contiguous stretch of U tokens is shown. The seed alone places its
/// first token, so a shorter stretch is a prefix of a longer one; the split wraps around. An epoch
/// has W = max(1, floor(U/T) - 1) windows: it draws an offset o uniform over [0, U - W·T), cuts the
/// windows [o + k·T, o + k·T + T] for k < W and visits each once, in an order drawn for that epoch.
/// Row r of step s is number s·B + r in this sequence; a batch may straddle epochs.
class Batches {
 public:
  /// `tokens` must outlive this. Errors: T or B < 1, fewer than T + 1 tokens, unique_tokens more
  /// than there are or fewer than T + 1.
  Batches(TokenSpan tokens, std::int64_t block_size, std::int64_t batch, std::uint64_t seed,
          std::optional<std::int64_t> unique_tokens = std::nullopt);

  Batches(Batches&&) = default;  // a copy would look into this one's memory
  Batches& operator=(Batches&&) = default;

  /// Writes rows [first_row, first_row + rows) of the step's batch: x, y (rows,T). Allocates
  /// nothing. Not for concurrent calls: the epoch's order is cached.
  /// REQUIRES: 0 <= first_row, first_row + rows <= B.
  void fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows, std::int32_t* x,
            std::int32_t* y);

  /// Where row `row` of `step` starts in reachable().
  std::int64_t start(std::uint64_t step, std::int64_t row);

  /// The tokens training can reach: the stretch, or the whole split. Valid as long as this is.
  TokenSpan reachable() const { return tokens_; }
  /// W, or 0 for crops.
  std::int64_t windows_per_epoch() const { return static_cast<std::int64_t>(order_.size()); }

 private:
  void shuffle(std::uint64_t epoch);

  std::vector<std::int32_t> joined_;  // a stretch that wraps around the split's end
  TokenSpan tokens_;
  std::int64_t block_, batch_;
  engine::Key key_;
  std::uint64_t epoch_ = 0;  // whose order and offset are cached
  std::int64_t offset_ = 0;
  std::vector<std::uint32_t> order_;  // (W), empty for crops
};

/// Number of evaluation windows: ceil((n − 1)/T), 0 for n < 2. Window k has the inputs [k·T, k·T +
/// T) and the targets one further, so every token but the first is predicted exactly once.
std::int64_t eval_windows(TokenSpan tokens, std::int64_t block_size);

/// Writes windows [first_window, first_window + rows): x, y (rows,T). Places past the split's end
/// have input 0 and target kIgnore. Returns the number of targets that count. REQUIRES: T >= 1,
/// first_window >= 0.
std::int64_t fill_eval(TokenSpan tokens, std::int64_t block_size, std::int64_t first_window,
                       std::int64_t rows, std::int32_t* x, std::int32_t* y);

/// Every epoch shows each of n rows once, in an order drawn for that epoch: row r of step s is
/// number s·B + r of this sequence, a pure function of (seed, step, row). A batch may straddle
/// epochs.
class RowOrder {
 public:
  /// Throws Error for no rows, and for more than 32 bits count.
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
