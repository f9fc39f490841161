// Regression and classification on a user's table: predict one column of a row from the others.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/table/table_file.h"
#include "train/tasks/task.h"

namespace train {

/// A table cut into splits, its numbers ready for a model.
struct TableData {
  std::string path, target, hash;
  std::vector<std::string> columns;  // of features (F)
  std::vector<std::string> classes;  // (V), none for regression
  std::vector<float> features;       // (rows,F): training first, then validation, then test
  std::vector<float> numbers;        // (rows) of regression: standardized as features are
  std::vector<std::int32_t> labels;  // (rows) of classification
  std::int64_t train = 0, val = 0, test = 0;  // rows of each split
  // What was taken off each column, and by what it was divided, the target's last: mean and
  // standard deviation over the rows of training alone. A column of one value becomes zeros.
  std::vector<double> mean, sd;

  std::int64_t width() const { return static_cast<std::int64_t>(columns.size()); }
};

/// The rows in an order drawn from the table's hash, so that seeds and runs share their splits; of
/// n rows training has the first ⌊n·(1 − fractions)⌋, then come validation and test, as of a text.
/// Throws Error where a split is empty, or where a class is in no row of training.
TableData split_table(const data::TableFile& file, double val_fraction, double test_fraction);

/// A row makes T tokens of `columns_per_token` consecutive columns; the last position, which sees
/// all of them, predicts the target. Its loss is what counts: nats per target.
class TableTask : public Task {
 public:
  /// Throws Error where columns_per_token or block_size don't fit the table.
  TableTask(TableData data, const Settings& settings);

  std::string_view name() const override;
  DataSummary describe(const Settings& settings) const override;
  std::string data_hash() const override { return data_.hash; }
  nlohmann::ordered_json encoding() const override;
  std::size_t bytes() const override;
  models::GptConfig model(const Settings& settings) const override;
  Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                  models::Mode mode, models::Output output) const override;
  ForecastKind forecast() const override;
  /// Epochs over all rows of training, in a new order each; with unique_tokens U over ⌊U/T⌋ of them
  /// alone, chosen by the seed: fewer of the same seed are some of the more.
  std::unique_ptr<Feed> feed(const Settings& settings) const override;
  /// Of validation and test the first settings.eval_tokens (0: all), of what training can reach the
  /// first 2048 rows.
  std::unique_ptr<Exam> exam(const Settings& settings, Split split) const override;
  bool own_exams() const override { return false; }
  std::optional<double> constant(std::string_view name) const override;
  const TableData& data() const { return data_; }

 private:
  bool classifies() const { return !data_.classes.empty(); }
  /// The rows that training shows.
  std::vector<std::uint32_t> reachable(const Settings& settings) const;

  TableData data_;
  std::int64_t time_, per_token_;
};

/// Of the table settings.csv, of whose column settings.target numbers are predicted.
std::unique_ptr<Task> load_table_regression(const Settings& settings);
/// The same, and classes are.
std::unique_ptr<Task> load_table_classification(const Settings& settings);

}  // namespace train
