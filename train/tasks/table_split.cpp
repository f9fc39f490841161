// Which rows of a table are in which split, and its numbers in units of the training rows.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "data/text/batches.h"
#include "train/tasks/table.h"

namespace train {
namespace {

using base::quote;
using base::require;

/// The hash's own order of its rows.
std::vector<std::uint32_t> shuffled_rows(const data::TableFile& file) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(file.rows));
  const std::uint64_t seed = std::stoull(file.hash.substr(0, 16), nullptr, 16);
  data::shuffle(order,
                {engine::stream_key(seed, engine::Stream::kData), engine::site_id("table.rows")});
  return order;
}

/// Column j of values (rows,width), rows in `order`, as (x − mean)/sd into `out` (rows,width).
void standardize(const data::TableFile& file, std::span<const double> values, std::size_t width,
                 std::size_t j, const std::string& name, std::span<const std::uint32_t> order,
                 TableData& data, std::vector<float>& out) {
  const auto at = [&](std::size_t row) { return values[order[row] * width + j]; };
  const auto rows = static_cast<std::size_t>(data.train);
  const auto n = static_cast<double>(rows);
  // Around the first value, so that digits the rows have in common cost none of the others.
  const double origin = at(0);
  double sum = 0, squares = 0, low = origin, high = origin;
  for (std::size_t row = 0; row < rows; ++row) {
    sum += at(row) - origin;
    low = std::min(low, at(row)), high = std::max(high, at(row));
  }
  const double shift = sum / n, mean = std::clamp(origin + shift, low, high);
  for (std::size_t row = 0; row < rows; ++row) squares += std::pow(at(row) - origin - shift, 2);
  // Of one value, rounding would make something other than 0.
  const double sd = low == high ? 0 : std::sqrt(squares / n);
  for (std::size_t row = 0; row < order.size(); ++row) {
    const auto x = static_cast<float>(sd == 0 ? 0 : (at(row) - origin - shift) / sd);
    require(std::isfinite(x), file.path, ": column ", quote(name), ": ", at(row),
            " is too far from the training rows, ", low, " to ", high,
            "; leave out the row or the column");
    out[row * width + j] = x;
  }
  data.mean.push_back(mean);
  data.sd.push_back(sd);
}

}  // namespace

TableData split_table(const data::TableFile& file, double val_fraction, double test_fraction) {
  TableData data;
  data.path = file.path;
  data.target = file.target;
  data.hash = file.hash;
  data.columns = file.columns;
  data.classes = file.classes;
  const auto until = [&](double rest) {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(file.rows) * (1 - rest)));
  };
  data.train = until(val_fraction + test_fraction);
  data.val = until(test_fraction) - data.train;
  data.test = file.rows - data.train - data.val;
  const auto need = [&](bool ok, std::int64_t rows, const char* what) {
    require(ok, file.path, ": of ", base::counted(static_cast<std::uint64_t>(file.rows), "row"),
            " val_fraction=", val_fraction, " and test_fraction=", test_fraction, " leave ", rows,
            " to ", what, "; give more rows or other fractions");
  };
  need(data.train > 1, data.train, "train on");
  need(data.val > 0, data.val, "validate on");
  need(data.test > 0 || test_fraction == 0, data.test, "test on");

  const std::vector<std::uint32_t> order = shuffled_rows(file);
  const auto width = static_cast<std::size_t>(file.width());
  data.features.resize(file.features.size());
  for (std::size_t j = 0; j < width; ++j)
    standardize(file, file.features, width, j, file.columns[j], order, data, data.features);
  if (file.classes.empty()) {
    data.numbers.resize(file.numbers.size());
    standardize(file, file.numbers, 1, 0, file.target, order, data, data.numbers);
    require(data.sd.back() > 0, file.path, ": column ", quote(file.target),
            " has the same number in every training row: there is nothing to predict");
    return data;
  }
  std::vector<bool> trained(file.classes.size());
  for (std::size_t row = 0; row < order.size(); ++row) {
    const std::int32_t label = file.labels[order[row]];
    data.labels.push_back(label);
    if (row < static_cast<std::size_t>(data.train)) trained[static_cast<std::size_t>(label)] = true;
  }
  const auto never = std::find(trained.begin(), trained.end(), false);
  if (never != trained.end())
    throw base::Error(
        base::concat(file.path, ": column ", quote(file.target), ": class ",
                     quote(file.classes[static_cast<std::size_t>(never - trained.begin())]),
                     " is in no training row; give more rows of it, or leave it out"));
  return data;
}

}  // namespace train
