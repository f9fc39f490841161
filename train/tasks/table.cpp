#include "train/tasks/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/text.h"
#include "data/text/batches.h"
#include "train/config/architecture.h"

namespace train {
namespace {

using base::quote;
using base::require;

constexpr std::int64_t kTableTrainRows = 2048;  // of the fixed subset for the train loss

/// Row `row` of the data as number k of a batch of `time` tokens a row: its features, and the
/// target at the last position. Behind the data: zeros, and nothing that counts.
void put_row(const TableData& data, std::optional<std::uint32_t> row, std::int64_t k,
             std::int64_t time, std::span<void* const> inputs) {
  float* features = static_cast<float*>(inputs[0]) + k * data.width();
  if (row)
    std::copy_n(data.features.data() + *row * data.width(), data.width(), features);
  else
    std::fill_n(features, data.width(), 0.0F);
  const auto target = [&](auto* to, const auto& from, auto none) {
    std::fill_n(to + k * time, time, none);
    if (row) to[(k + 1) * time - 1] = from[*row];
  };
  if (data.classes.empty())
    target(static_cast<float*>(inputs[1]), data.numbers, std::numeric_limits<float>::quiet_NaN());
  else
    target(static_cast<std::int32_t*>(inputs[1]), data.labels, std::int32_t{-1});
}

class TableFeed final : public Feed {
 public:
  TableFeed(const TableData& data, std::vector<std::uint32_t> rows, std::int64_t time,
            const Settings& s)
      : data_(data),
        rows_(std::move(rows)),
        time_(time),
        order_(std::ssize(rows_), s.batch, s.seed) {}
  void fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows,
            std::span<void* const> inputs) override {
    for (std::int64_t k = 0; k < rows; ++k)
      put_row(data_, rows_[order_.at(step, first_row + k)], k, time_, inputs);
  }
  double tokens_per_epoch() const override { return static_cast<double>(order_.rows() * time_); }

 private:
  const TableData& data_;
  std::vector<std::uint32_t> rows_;
  std::int64_t time_;
  data::RowOrder order_;
};

class TableExam final : public Exam {
 public:
  TableExam(const TableData& data, std::vector<std::uint32_t> rows, std::int64_t time)
      : data_(data), rows_(std::move(rows)), time_(time) {}
  std::int64_t rows() const override { return std::ssize(rows_); }
  void fill(std::int64_t first, std::int64_t rows, std::span<void* const> inputs) const override {
    for (std::int64_t k = 0; k < rows; ++k) {
      const bool there = first + k < std::ssize(rows_);
      put_row(data_,
              there ? std::optional(rows_[static_cast<std::size_t>(first + k)]) : std::nullopt, k,
              time_, inputs);
    }
  }
  std::int64_t tokens(std::int64_t row) const override { return row < std::ssize(rows_) ? 1 : 0; }
  std::int64_t tokens() const override { return std::ssize(rows_); }

 private:
  const TableData& data_;
  std::vector<std::uint32_t> rows_;
  std::int64_t time_;
};

std::unique_ptr<Task> load_table(const Settings& s, bool classes) {
  return std::make_unique<TableTask>(
      split_table(data::read_table(s.csv, s.target, classes), s.val_fraction, s.test_fraction), s);
}

}  // namespace

TableTask::TableTask(TableData data, const Settings& s)
    : data_(std::move(data)), per_token_(s.columns_per_token) {
  require(data_.width() % per_token_ == 0, "columns_per_token=", per_token_,
          " does not divide the ", data_.width(), " feature columns of ", data_.path,
          "; try columns_per_token=", base::divisors_near(data_.width(), per_token_));
  time_ = data_.width() / per_token_;
  require(s.block_size == time_, "block_size=", s.block_size, ": a row of ", data_.path, " has ",
          data_.width(), " feature columns, ", per_token_, " of them a token; give --block-size ",
          time_);
}

std::string_view TableTask::name() const { return classifies() ? "classification" : "regression"; }
TargetKind TableTask::target_kind() const {
  return classifies() ? TargetKind::kClass : TargetKind::kNormal;
}

DataSummary TableTask::describe(const Settings& s) const {
  const auto examined = [&](Split split) {
    const auto of = exam(s, split);
    return of ? static_cast<std::uint64_t>(of->rows()) : 0;
  };
  const std::uint64_t train = reachable(s).size(), val = examined(Split::kVal),
                      test = examined(Split::kTest);
  std::string text = fmt::format("Table {}: {} from {}, trained on {}, validated on {}", data_.path,
                                 quote(data_.target),
                                 base::counted(static_cast<std::uint64_t>(data_.width()), "column"),
                                 base::grouped(train, "row"), base::grouped(val, "row"));
  text += test > 0 ? ", tested on " + base::grouped(test, "row") : ", no test split";
  text +=
      classifies()
          ? fmt::format("; {} classes", data_.classes.size())
          : fmt::format("; losses are of the standardized target (less {:.4g}, divided by {:.4g})",
                        data_.mean.back(), data_.sd.back());
  nlohmann::ordered_json facts = {{"name", data_.path},       {"target", data_.target},
                                  {"columns", data_.width()}, {"train_rows", train},
                                  {"val_rows", val},          {"test_rows", test},
                                  {"hash", data_.hash}};
  if (classifies())
    facts["classes"] = data_.classes.size();
  else
    facts["target_mean"] = data_.mean.back(), facts["target_sd"] = data_.sd.back();
  return {std::move(text), std::move(facts)};
}

nlohmann::ordered_json TableTask::encoding() const {
  return {{"columns", data_.columns}, {"columns_per_token", per_token_},
          {"target", data_.target},   {"classes", data_.classes},
          {"mean", data_.mean},       {"sd", data_.sd}};
}

std::size_t TableTask::bytes() const {
  return 4 * (data_.features.size() + data_.numbers.size() + data_.labels.size());
}

models::GptConfig TableTask::model(const Settings& settings) const {
  models::GptConfig config =
      gpt_config(settings, classifies() ? static_cast<std::int64_t>(data_.classes.size()) : 1);
  config.features = per_token_;
  config.head = classifies() ? models::Head::kClasses : models::Head::kNormal;
  models::check(config);
  return config;
}

std::vector<std::uint32_t> TableTask::reachable(const Settings& s) const {
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(data_.train));
  std::iota(rows.begin(), rows.end(), 0u);
  if (s.unique_tokens == 0) return rows;
  const std::int64_t unique = s.unique_tokens / time_;
  require(unique <= data_.train, s.unique_tokens, " unique tokens are ", unique, " rows of ", time_,
          " tokens, more than the ", data_.train, " that ", data_.path,
          " has for training; give fewer, or 0 for all rows");
  data::shuffle(rows,
                {engine::stream_key(s.seed, engine::Stream::kData), engine::site_id("table.part")});
  rows.resize(static_cast<std::size_t>(unique));
  return rows;
}

std::unique_ptr<Feed> TableTask::feed(const Settings& settings) const {
  return std::make_unique<TableFeed>(data_, reachable(settings), time_, settings);
}

std::unique_ptr<Exam> TableTask::exam(const Settings& s, Split split) const {
  if (split == Split::kTrainSubset) {
    std::vector<std::uint32_t> rows = reachable(s);
    if (std::ssize(rows) > kTableTrainRows) rows.resize(kTableTrainRows);
    return std::make_unique<TableExam>(data_, std::move(rows), time_);
  }
  const bool test = split == Split::kTest;
  std::int64_t count = test ? data_.test : data_.val;
  if (count == 0) return nullptr;
  if (s.eval_tokens > 0) count = std::min(count, (s.eval_tokens - 1) / time_ + 1);
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(),
            static_cast<std::uint32_t>(data_.train + (test ? data_.val : 0)));
  return std::make_unique<TableExam>(data_, std::move(rows), time_);
}

DataConstants TableTask::constants() const {
  DataConstants out;
  if (classifies()) out.uniform_loss = std::log(static_cast<double>(data_.classes.size()));
  return out;
}

std::unique_ptr<Task> load_table_regression(const Settings& settings) {
  return load_table(settings, false);
}
std::unique_ptr<Task> load_table_classification(const Settings& settings) {
  return load_table(settings, true);
}

}  // namespace train
