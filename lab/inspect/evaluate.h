// A trained model, asked for every target of a text or a split.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "lab/runs/measures.h"
#include "train/evaluator.h"
#include "train/tasks/task.h"

namespace lab {

/// What is asked: another text, or a split of what the run was trained on.
struct Question {
  std::unique_ptr<train::Task> task;
  std::unique_ptr<train::Exam> exam;
  std::string what;  // "book.txt", "the test split"
  std::optional<double> bytes_per_token;
};

/// What came of all targets.
struct Answer {
  double loss_sum = 0, targets = 0;
  Measured calibration;
};

inline constexpr double kMostScores = 1 << 26;  // that are in memory at once

/// Asks for a part of the targets at a time, so that a text of any length and a vocabulary of any
/// size go together.
Answer ask(train::Predictor& predictor, const Question& q, const train::Settings& s,
           std::int64_t vocab);
/// Whether a metric is known without a split to fit a temperature on.
bool is_told(std::string_view metric);
/// The loss, and what else is known of the forecasts without such a split.
base::Json to_json(const Question& q, const Answer& answer, const train::Settings& s);

}  // namespace lab
