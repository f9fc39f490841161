// What is learned: data, batches, the model's head and what it is examined on, as one value.
//
// A task is one file with a class, and one row in task.cpp. Trainer, evaluator and recalibration
// know no task by name.
#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tape.h"
#include "models/gpt.h"
#include "train/config/settings.h"
#include "train/config/task_kinds.h"

namespace data {
class Tokenizer;
}

namespace train {

/// What one tape of the task has. Inputs are of 4-byte elements (f32 or i32) with the rows of the
/// batch as first axis. `reported`: what is told of the model, without what regularizers add; in
/// kTrain and with Output::kLogits (1), else (rows), each the mean over the row's targets that
/// count. `loss` (1), of kTrain alone: what is trained on. `outputs`, with Output::kLogits alone:
/// what Task::forecast() says they are, (rows,T,·); `targets` (rows,T): one of the inputs.
struct Recorded {
  std::vector<engine::Ref> inputs;
  engine::Ref reported, loss;
  engine::Ref outputs = {}, targets = {};
};

/// Training batches: a pure function of (seed, step, row), so that a run can be resumed anywhere
/// and micro-steps see what one large batch sees.
class Feed {
 public:
  virtual ~Feed() = default;
  /// Writes rows [first_row, first_row + rows) of the step's batch to the memory of each of
  /// Recorded::inputs. Allocates nothing. Not for concurrent calls.
  virtual void fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows,
                    std::span<void* const> inputs) = 0;
  /// Tokens until all of the training data has been shown once (of crops: on average).
  virtual double tokens_per_epoch() const = 0;
};

/// Rows that a model is examined on, the same ones every time.
class Exam {
 public:
  virtual ~Exam() = default;
  virtual std::int64_t rows() const = 0;
  /// Writes rows [first, first + rows) to the memory of each input. What lies behind the last row
  /// is padded and does not count.
  virtual void fill(std::int64_t first, std::int64_t rows, std::span<void* const> inputs) const = 0;
  /// Targets that count in a row; 0 behind the last one.
  virtual std::int64_t tokens(std::int64_t row) const = 0;
  /// Over all rows.
  virtual std::int64_t tokens() const = 0;
  /// What whoever knows where the data come from would say of a row's targets: probabilities (T,V),
  /// or means and standard deviations (T,2). Empty where that is not known. Not for concurrent
  /// calls.
  virtual std::vector<double> truth(std::int64_t /*row*/) const { return {}; }
};

/// What an exam is made of: a fixed part of what training can reach, the validation split, by which
/// is chosen, or the test split, by which is judged.
enum class Split : std::uint8_t { kTrainSubset, kVal, kTest };

/// What a report says of the data: a sentence, and the same as a JSON object.
struct DataSummary {
  std::string sentence;
  nlohmann::ordered_json facts;
};

/// What is kept beside data.json, whole.
struct KeptFile {
  std::string name, bytes;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;
  /// The data, and what of them runs with these settings are examined on.
  virtual DataSummary describe(const Settings& settings) const = 0;
  /// Of all that the result depends on, not of where it lies, nor of what follows from the seed: 32
  /// hex digits.
  virtual std::string data_hash() const = 0;
  /// What the model's inputs and outputs mean (of language modelling the tokenizer and its pieces):
  /// weights are of no use with another one. A JSON object, kept with the run.
  virtual nlohmann::ordered_json encoding() const = 0;
  /// What encoding() has no room for: the tokenizer. Names of the table of tokenizers alone.
  virtual std::vector<KeptFile> files() const { return {}; }
  /// What makes text of its tokens; null where they are none.
  virtual const data::Tokenizer* tokenizer() const { return nullptr; }
  /// Memory that the data take.
  virtual std::size_t bytes() const = 0;
  virtual models::GptConfig model(const Settings& settings) const = 0;
  /// Records the model for `rows` rows: in kTrain those of the batch, each as often as a step has
  /// passes.
  virtual Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                          models::Mode mode, models::Output output) const = 0;
  virtual ForecastKind forecast() const { return ForecastKind::kClasses; }
  /// Throws base::Error where the settings ask for more data than there are. The feed and the
  /// exam refer to the task's data.
  virtual std::unique_ptr<Feed> feed(const Settings& settings) const = 0;
  /// Null where there is no test split.
  virtual std::unique_ptr<Exam> exam(const Settings& settings, Split split) const = 0;
  /// Whether every seed has held-out data of its own. Else all seeds are examined on the same.
  virtual bool own_exams() const = 0;
  /// What is known of the data of the seed it was loaded for: "bayes_loss", "bayes_loss_window"
  /// (nats per token of the test split), "val_bytes_per_token", "test_bytes_per_token",
  /// "uniform_loss" (of the same chance for every outcome). Nothing where that is not known or has
  /// no meaning.
  virtual std::optional<double> constant(std::string_view name) const = 0;
  /// Remarks on data that can be used and still are not what they seem.
  virtual std::vector<std::string> notes() const { return {}; }
};

/// The task of settings.task with its data read or made. Throws base::Error.
std::unique_ptr<Task> load_task(const Settings& settings);

}  // namespace train
