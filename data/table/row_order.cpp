#include "data/table/row_order.h"

#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace data {

RowOrder::RowOrder(std::int64_t rows, std::int64_t batch, std::uint64_t seed)
    : batch_(static_cast<std::uint64_t>(batch)),
      key_(engine::stream_key(seed, engine::Stream::kData)) {
  base::require(rows >= 1, "no row to train on");
  base::require(rows <= std::numeric_limits<std::uint32_t>::max(), rows,
                " rows to repeat are more than 32 bits count; give fewer --unique-tokens");
  order_.resize(static_cast<std::size_t>(rows));
  shuffle(0);
}

void RowOrder::shuffle(std::uint64_t epoch) {
  epoch_ = epoch;
  data::shuffle(order_, {key_, engine::site_id("data.row_order"), epoch});
}

std::uint32_t RowOrder::at(std::uint64_t step, std::int64_t row) {
  const std::uint64_t number = step * batch_ + static_cast<std::uint64_t>(row);
  const std::uint64_t epoch = number / order_.size();
  if (epoch != epoch_) shuffle(epoch);
  return order_[number % order_.size()];
}

void shuffle(std::vector<std::uint32_t>& order, engine::Sequence random) {
  // From the identity, not from the last order: epochs don't depend on each other.
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
}

}  // namespace data
