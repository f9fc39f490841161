// Regression in context: every row is a linear function of its own, and what is learned is to
// predict its value from the pairs before.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "train/tasks/task.h"

namespace train {

/// Of a row of T positions: w ~ N(0, I_d), x_t ~ N(0, I_d), y_t = w·x_t + ε_t, ε_t ~ N(0, σ²),
/// d = 5, σ = 0.5. Garg et al. 2022, arXiv:2208.01066, with noise, so that there is a least loss
/// and something to overfit.
///
/// Token t holds the pair before and the query, [x_{t−1}, y_{t−1}, x_t] (zeros for the pair of
/// t = 0), and predicts y_t. Garg et al. interleave x and y; here a model need not learn to put
/// pairs together first, so that a small one gets to the regression within a short budget.
class InContextRegression : public Task {
 public:
  static constexpr std::int64_t kDim = 5, kFeatures = 2 * kDim + 1;
  static constexpr double kNoise = 0.5;

  /// The test split's Bayes loss, made when it is asked for, hangs on all three: `tested` rows are
  /// examined. REQUIRES: time >= 1, tested >= 1.
  InContextRegression(std::uint64_t seed, std::int64_t time, std::int64_t tested);

  std::string_view name() const override { return "in_context"; }
  DataSummary describe(const Settings& settings) const override;
  std::string data_hash() const override;
  nlohmann::ordered_json encoding() const override;
  std::size_t bytes() const override { return 0; }
  models::GptConfig model(const Settings& settings) const override;
  Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                  models::Mode mode, models::Output output) const override;
  ForecastKind forecast() const override { return ForecastKind::kNormal; }
  /// With unique_tokens U the seed's first ⌊U/T⌋ rows, again and again; else rows that were never
  /// seen before, of which there is no epoch.
  std::unique_ptr<Feed> feed(const Settings& settings) const override;
  /// 1024 rows for validation and 2048 for the test, of streams of their own, of which eval_tokens
  /// may take fewer; of training the first 2048. truth() is the Bayes predictor's.
  std::unique_ptr<Exam> exam(const Settings& settings, Split split) const override;
  bool own_exams() const override { return true; }
  std::optional<double> constant(std::string_view name) const override;

 private:
  double bayes_loss() const;

  std::uint64_t seed_;
  std::int64_t time_, tested_;
  mutable std::optional<double> bayes_loss_;
};

std::unique_ptr<Task> load_in_context_regression(const Settings& settings);

}  // namespace train
