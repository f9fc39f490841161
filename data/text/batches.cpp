#include "data/text/batches.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace data {

using base::require;
using engine::site_id;

namespace {

constexpr std::uint32_t kCrop = site_id("data.crop");
constexpr std::uint32_t kStretch = site_id("data.stretch");
constexpr std::uint32_t kOrder = site_id("data.order");

}  // namespace

void shuffle(std::vector<std::uint32_t>& order, engine::Sequence random) {
  // From the identity, not the last order: epochs do not depend on each other.
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
}

Batches::Batches(TokenSpan tokens, std::int64_t block_size, std::int64_t batch, std::uint64_t seed,
                 std::optional<std::int64_t> unique_tokens)
    : tokens_(tokens),
      block_(block_size),
      batch_(batch),
      key_(engine::stream_key(seed, engine::Stream::kData)) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  require(block_size >= 1, "block size ", block_size, ": a window needs at least 1 token");
  require(batch >= 1, "batch ", batch, ": a step needs at least 1 row");
  require(n > block_size, "the training split has ", base::counted(tokens.size(), "token"),
          ", block size ", block_size, " needs at least ", block_size,
          " + 1; use a longer text or a smaller --block-size");
  if (!unique_tokens) return;
  const std::int64_t unique = *unique_tokens;
  require(unique <= n, unique, " unique tokens are more than the training split's ", n,
          "; use more --epochs, a smaller --budget or a longer text");
  require(unique > block_size, unique, unique == 1 ? " unique token is" : " unique tokens are",
          " fewer than a window of block size ", block_size,
          " and its target; use fewer --epochs, a larger --budget or a smaller --block-size");
  const auto all = static_cast<std::size_t>(n), length = static_cast<std::size_t>(unique);
  const std::size_t first =
      length == all
          ? 0
          : static_cast<std::size_t>(engine::Sequence(key_, kStretch).below(tokens.size()));
  if (first + length <= all) {
    tokens_ = tokens.subspan(first, length);
  } else {
    joined_.resize(length);
    tokens.copy(first, all - first, joined_.data());
    tokens.copy(0, first + length - all, joined_.data() + (all - first));
    tokens_ = joined_;
  }
  const std::int64_t windows = std::max<std::int64_t>(1, unique / block_size - 1);
  require(windows <= std::numeric_limits<std::uint32_t>::max(), unique,
          " unique tokens make more windows than 32 bits count; use more --epochs");
  order_.resize(static_cast<std::size_t>(windows));
  shuffle(0);
}

void Batches::shuffle(std::uint64_t epoch) {
  epoch_ = epoch;
  engine::Sequence random(key_, kOrder, epoch);
  const auto windows = static_cast<std::int64_t>(order_.size());
  const std::int64_t offsets = static_cast<std::int64_t>(tokens_.size()) - windows * block_;
  offset_ = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(offsets)));
  data::shuffle(order_, random);
}

std::int64_t Batches::start(std::uint64_t step, std::int64_t row) {
  const auto r = static_cast<std::uint64_t>(row);
  if (order_.empty()) {
    const engine::Block bits = engine::random_block(key_, kCrop, step, r);
    // 64 bits modulo n: uniform up to n/2^64, less than any run could show.
    return static_cast<std::int64_t>((bits[0] | std::uint64_t{bits[1]} << 32) %
                                     (tokens_.size() - static_cast<std::uint64_t>(block_)));
  }
  const std::uint64_t number = step * static_cast<std::uint64_t>(batch_) + r;
  const std::uint64_t epoch = number / order_.size();
  if (epoch != epoch_) shuffle(epoch);
  const std::uint32_t window = order_[number % order_.size()];
  return offset_ + block_ * std::int64_t{window};
}

void Batches::fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows, std::int32_t* x,
                   std::int32_t* y) {
  assert(first_row >= 0 && rows >= 0 && first_row + rows <= batch_);
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto from = static_cast<std::size_t>(start(step, first_row + row));
    const auto count = static_cast<std::size_t>(block_);
    tokens_.copy(from, count, x + row * block_);
    tokens_.copy(from + 1, count, y + row * block_);
  }
}

std::int64_t eval_windows(TokenSpan tokens, std::int64_t block_size) {
  require(block_size >= 1, "block size ", block_size, ": a window needs at least 1 token");
  const auto n = static_cast<std::int64_t>(tokens.size());
  return n < 2 ? 0 : (n - 2) / block_size + 1;
}

std::int64_t fill_eval(TokenSpan tokens, std::int64_t block_size, std::int64_t first_window,
                       std::int64_t rows, std::int32_t* x, std::int32_t* y) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  std::int64_t valid = 0;
  for (std::int64_t row = 0; row < rows; ++row, x += block_size, y += block_size) {
    const std::int64_t begin = (first_window + row) * block_size;
    const std::int64_t count = std::clamp<std::int64_t>(n - 1 - begin, 0, block_size);
    if (count > 0) {
      const auto from = static_cast<std::size_t>(begin), many = static_cast<std::size_t>(count);
      tokens.copy(from, many, x);
      tokens.copy(from + 1, many, y);
    }
    std::fill(x + count, x + block_size, 0);
    std::fill(y + count, y + block_size, kIgnore);
    valid += count;
  }
  return valid;
}

RowOrder::RowOrder(std::int64_t rows, std::int64_t batch, std::uint64_t seed)
    : batch_(static_cast<std::uint64_t>(batch)),
      key_(engine::stream_key(seed, engine::Stream::kData)) {
  require(rows >= 1, "there are no rows to train on");
  require(rows <= std::numeric_limits<std::uint32_t>::max(), rows,
          " rows are more than 32 bits count; give fewer --unique-tokens");
  order_.resize(static_cast<std::size_t>(rows));
  shuffle(0);
}

void RowOrder::shuffle(std::uint64_t epoch) {
  epoch_ = epoch;
  data::shuffle(order_, {key_, site_id("data.row_order"), epoch});
}

std::uint32_t RowOrder::at(std::uint64_t step, std::int64_t row) {
  const std::uint64_t number = step * batch_ + static_cast<std::uint64_t>(row);
  const std::uint64_t epoch = number / order_.size();
  if (epoch != epoch_) shuffle(epoch);
  return order_[number % order_.size()];
}

}  // namespace data
