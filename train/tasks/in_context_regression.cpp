#include "train/tasks/in_context_regression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/hash.h"
#include "base/text.h"
#include "data/synthetic/bayes.h"
#include "data/text/batches.h"
#include "engine/rng.h"
#include "train/config/architecture.h"
#include "train/config/budget.h"

namespace train {
namespace {

constexpr std::int64_t kNumbers = InContextRegression::kDim;
constexpr std::int64_t kInContextVal = 1024, kInContextTest = 2048,
                       kInContextTrain = 2048;  // examined on

/// Standard normals, a pure function of (key, site, row): two of each Philox block by Box & Muller.
class Normals {
 public:
  Normals(engine::Key key, std::uint32_t site, std::uint64_t row)
      : key_(key), site_(site), row_(row) {}
  double next() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    // The row's high half in the block's, whose low half counts within the row.
    const engine::Block b =
        engine::random_block(key_, site_, row_, (row_ >> 32 << 32) | std::uint64_t{block_++}, 10);
    const auto uniform = [](std::uint32_t low, std::uint32_t high) {
      return (static_cast<double>((std::uint64_t{high} << 32 | low) >> 12) + 0.5) * 0x1p-52;
    };
    const double radius = std::sqrt(-2 * std::log(uniform(b[0], b[1])));
    const double angle = 2 * std::numbers::pi * uniform(b[2], b[3]);
    spare_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }

 private:
  engine::Key key_;
  std::uint32_t site_;
  std::uint64_t row_;
  std::uint32_t block_ = 0;
  std::optional<double> spare_;
};

/// The rows of one split and seed.
class Rows {
 public:
  Rows(std::uint64_t seed, std::string_view split, std::int64_t time)
      : key_(engine::stream_key(seed, engine::Stream::kData)),
        site_(engine::site_id(fmt::format("in_context.{}", split))),
        time_(time) {}

  /// features (T,2d+1), targets (T)
  void write(std::uint64_t row, float* features, float* targets) const {
    constexpr std::int64_t kWidth = InContextRegression::kFeatures;
    Normals normals(key_, site_, row);
    std::array<double, kNumbers> w;
    for (double& v : w) v = normals.next();
    std::fill_n(features, kNumbers + 1, 0.0F);
    for (std::int64_t t = 0; t < time_; ++t) {
      float* token = features + t * kWidth;
      if (t > 0) {
        std::copy_n(token - kWidth + kNumbers + 1, kNumbers, token);
        token[kNumbers] = targets[t - 1];
      }
      double y = 0;
      for (std::size_t i = 0; i < w.size(); ++i) {
        const auto x = static_cast<float>(normals.next());
        token[kNumbers + 1 + static_cast<std::int64_t>(i)] = x;
        y += w[i] * static_cast<double>(x);
      }
      targets[t] = static_cast<float>(y + InContextRegression::kNoise * normals.next());
    }
  }

  std::vector<double> bayes(std::uint64_t row, std::vector<float>& targets) const {
    constexpr std::int64_t kWidth = InContextRegression::kFeatures;
    std::vector<float> features(static_cast<std::size_t>(time_ * kWidth)), x;
    targets.resize(static_cast<std::size_t>(time_));
    write(row, features.data(), targets.data());
    for (auto token = features.begin(); token != features.end(); token += kWidth)
      x.insert(x.end(), token + kNumbers + 1, token + kWidth);
    return data::bayes_predictions(x, targets, InContextRegression::kNoise);
  }

  std::int64_t time() const { return time_; }

 private:
  engine::Key key_;
  std::uint32_t site_;
  std::int64_t time_;
};

/// Calls write(k, features, targets) for each of the rows' places in the inputs.
template <class F>
void for_rows_of(std::int64_t rows, std::int64_t time, std::span<void* const> inputs,
                 const F& write) {
  for (std::int64_t k = 0; k < rows; ++k)
    write(k, static_cast<float*>(inputs[0]) + k * time * InContextRegression::kFeatures,
          static_cast<float*>(inputs[1]) + k * time);
}

class InContextFeed final : public Feed {
 public:
  InContextFeed(Rows rows, std::int64_t batch, std::optional<data::RowOrder> order)
      : rows_(rows), batch_(static_cast<std::uint64_t>(batch)), order_(std::move(order)) {}
  void fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows,
            std::span<void* const> inputs) override {
    for_rows_of(rows, rows_.time(), inputs, [&](std::int64_t k, float* features, float* targets) {
      const std::int64_t row = first_row + k;
      rows_.write(order_ ? order_->at(step, row) : step * batch_ + static_cast<std::uint64_t>(row),
                  features, targets);
    });
  }
  double tokens_per_epoch() const override {
    return order_ ? static_cast<double>(order_->rows() * rows_.time())
                  : std::numeric_limits<double>::infinity();
  }

 private:
  Rows rows_;
  std::uint64_t batch_;
  std::optional<data::RowOrder> order_;
};

class InContextExam final : public Exam {
 public:
  InContextExam(Rows rows, std::int64_t count) : rows_(rows), count_(count) {}
  std::int64_t rows() const override { return count_; }
  void fill(std::int64_t first, std::int64_t rows, std::span<void* const> inputs) const override {
    for_rows_of(rows, rows_.time(), inputs, [&](std::int64_t k, float* features, float* targets) {
      if (first + k < count_)
        return rows_.write(static_cast<std::uint64_t>(first + k), features, targets);
      std::fill_n(features, rows_.time() * InContextRegression::kFeatures, 0.0F);
      std::fill_n(targets, rows_.time(), std::numeric_limits<float>::quiet_NaN());
    });
  }
  std::int64_t tokens(std::int64_t row) const override { return row < count_ ? rows_.time() : 0; }
  std::int64_t tokens() const override { return count_ * rows_.time(); }
  std::vector<double> truth(std::int64_t row) const override {
    std::vector<float> targets;
    return rows_.bayes(static_cast<std::uint64_t>(row), targets);
  }

 private:
  Rows rows_;
  std::int64_t count_;
};

std::optional<std::int64_t> repeated_rows(const Settings& s) {
  return s.unique_tokens > 0 ? std::optional(s.unique_tokens / s.block_size) : std::nullopt;
}

/// Of the test split; eval_tokens may ask for fewer.
std::int64_t most_rows(const Settings& s) {
  return s.eval_tokens == 0 ? kInContextTest
                            : std::min(kInContextTest, (s.eval_tokens - 1) / s.block_size + 1);
}

}  // namespace

InContextRegression::InContextRegression(std::uint64_t seed, std::int64_t time, std::int64_t tested)
    : seed_(seed), time_(time), tested_(tested) {}

double InContextRegression::bayes_loss() const {
  if (bayes_loss_) return *bayes_loss_;
  const Rows rows(seed_, "test", time_);
  std::vector<float> targets;
  double sum = 0;
  for (std::int64_t row = 0; row < tested_; ++row) {
    const std::vector<double> predictions = rows.bayes(static_cast<std::uint64_t>(row), targets);
    sum += data::normal_loss(predictions, targets);
  }
  return *(bayes_loss_ = sum / static_cast<double>(tested_));
}

DataSummary InContextRegression::describe(const Settings& s) const {
  const auto rows = [&](Split split) { return static_cast<std::uint64_t>(exam(s, split)->rows()); };
  return {fmt::format(
              "Regression in context: {} per row of y = w·x + ε, x of {} numbers, ε of standard "
              "deviation {}; validation on {}, test on {}; each seed gets its own rows; best "
              "possible loss {:.4f} nats per target (of the first seed)",
              base::counted(static_cast<std::uint64_t>(s.block_size), "pair"), kDim, kNoise,
              base::grouped(rows(Split::kVal), "row"), base::grouped(rows(Split::kTest), "row"),
              bayes_loss()),
          {{"name", "regression in context"},
           {"pairs", s.block_size},
           {"numbers", kDim},
           {"noise", kNoise},
           {"val_rows", rows(Split::kVal)},
           {"test_rows", rows(Split::kTest)},
           {"hash", data_hash()},
           {"bayes_loss", bayes_loss()}}};
}

std::string InContextRegression::data_hash() const {
  // How many pairs a row has is a setting, which numbers follow from the seed.
  return base::Hash().add(fmt::format("in_context 1: d {}, noise {}", kDim, kNoise)).hex();
}

nlohmann::ordered_json InContextRegression::encoding() const {
  return {{"token", "x before, y before, x"}, {"numbers", kDim}, {"predicts", "y"}};
}

models::GptConfig InContextRegression::model(const Settings& settings) const {
  models::GptConfig config = gpt_config(settings, 1);
  config.features = kFeatures;
  config.head = models::Head::kNormal;
  models::check(config);
  return config;
}

std::unique_ptr<Feed> InContextRegression::feed(const Settings& s) const {
  const auto repeated = repeated_rows(s);
  base::require(
      repeated || Budget::parse(s.budget).kind != Budget::Kind::kEpochs, "budget ", s.budget,
      ": rows that are all new have no epochs; give another kind of budget, or --unique-tokens");
  return std::make_unique<InContextFeed>(
      Rows(s.seed, "train", s.block_size), s.batch,
      repeated ? std::optional(data::RowOrder(*repeated, s.batch, s.seed)) : std::nullopt);
}

std::unique_ptr<Exam> InContextRegression::exam(const Settings& s, Split split) const {
  const auto of = [&](std::string_view name, std::int64_t rows) {
    return std::make_unique<InContextExam>(Rows(s.seed, name, s.block_size), rows);
  };
  switch (split) {
    case Split::kVal:
      return of("val", std::min(kInContextVal, most_rows(s)));
    case Split::kTest:
      return of("test", most_rows(s));
    case Split::kTrainSubset:
      break;
  }
  return of("train", std::min(kInContextTrain, repeated_rows(s).value_or(kInContextTrain)));
}

DataConstants InContextRegression::constants() const {
  DataConstants out;
  out.bayes_loss = bayes_loss();
  return out;
}

std::unique_ptr<Task> load_in_context_regression(const Settings& settings) {
  return std::make_unique<InContextRegression>(settings.seed, settings.block_size,
                                               most_rows(settings));
}

}  // namespace train
