// Regression in context: predict a linear function, different in each row, from the pairs before.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "train/tasks/task.h"

namespace train {

/// A row has T positions: w ~ N(0, I_d), x_t ~ N(0, I_d), y_t = w·x_t + ε_t, ε_t ~ N(0, σ²), d = 5,
/// σ = 0.5 (Garg et al. 2022, arXiv:2208.01066, with noise, so that there is something to overfit).
///
/// Token t holds the previous pair and the query, [x_{t−1}, y_{t−1}, x_t] (zeros for the pair at t
/// = 0), and predicts y_t. Garg et al. interleave x and y; joining them lets a small model learn
/// the regression within a short budget.
class InContextRegression : public Task {
 public:
  static constexpr std::int64_t kDim = 5, kFeatures = 2 * kDim + 1;
  static constexpr double kNoise = 0.5;

  /// The Bayes loss of the first `tested` test rows is computed when first asked for.
  /// REQUIRES: time >= 1, tested >= 1.
  InContextRegression(std::uint64_t seed, std::int64_t time, std::int64_t tested);

  std::string_view name() const override { return "in_context"; }
  DataSummary describe(const Settings& settings) const override;
  std::string data_hash() const override;
  nlohmann::ordered_json encoding() const override;
  std::size_t bytes() const override { return 0; }
  models::GptConfig model(const Settings& settings) const override;
  TargetKind target_kind() const override { return TargetKind::kNormal; }
  /// With unique_tokens U the seed's first ⌊U/T⌋ rows, repeatedly; otherwise always new rows,
  /// without epochs.
  std::unique_ptr<Feed> feed(const Settings& settings) const override;
  /// 1024 rows for validation, 2048 for the test (fewer with eval_tokens), and the first 2048 of
  /// training. truth() is the Bayes predictor's.
  std::unique_ptr<Exam> exam(const Settings& settings, Split split) const override;
  bool own_exams() const override { return true; }
  DataConstants constants() const override;

 private:
  double bayes_loss() const;

  std::uint64_t seed_;
  std::int64_t time_, tested_;
  mutable std::optional<double> bayes_loss_;
};

std::unique_ptr<Task> load_in_context_regression(const Settings& settings);

}  // namespace train
