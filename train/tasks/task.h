// What is learned, as one value: data, batches, the model's head, evaluation.
//
// A task is one file with a class, and one row in task.cpp. Nothing else knows a task by name.
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

namespace data {
class Tokenizer;
struct Corpus;
}  // namespace data

namespace train {

/// Nodes of a recorded task. Inputs have 4-byte elements (f32 or i32) and the batch's rows as first
/// axis. `reported`: the loss without what regularizers add; (1) in kTrain and with
/// Output::kLogits, else (rows), each the mean over the row's targets that count. `loss` (1), in
/// kTrain only: what is trained on. `outputs` (rows,T,·), with Output::kLogits only: see
/// TargetKind. `targets` (rows,T): an input.
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
  /// Tokens until all training data has been shown once (for crops: on average).
  virtual double tokens_per_epoch() const = 0;
};

/// Rows for evaluation, the same ones every time.
class Exam {
 public:
  virtual ~Exam() = default;
  virtual std::int64_t rows() const = 0;
  /// Writes rows [first, first + rows) to the memory of each input. Rows past the last are padding
  /// and do not count.
  virtual void fill(std::int64_t first, std::int64_t rows, std::span<void* const> inputs) const = 0;
  /// Targets that count in a row; 0 past the last one.
  virtual std::int64_t tokens(std::int64_t row) const = 0;
  /// Over all rows.
  virtual std::int64_t tokens() const = 0;
  /// The true distribution of a row's targets: probabilities (T,V), or means and standard
  /// deviations (T,2). Empty if it is not known. Not for concurrent calls.
  virtual std::vector<double> truth(std::int64_t /*row*/) const { return {}; }
};

/// What a model is evaluated on: a fixed part of the training data, validation (for tuning and
/// early stopping), or test (for verdicts).
enum class Split : std::uint8_t { kTrainSubset, kVal, kTest };

/// The data in a report: a sentence, and the same as a JSON object.
struct DataSummary {
  std::string sentence;
  nlohmann::ordered_json facts;
};

/// Known facts of the data of the seed it was loaded for; nothing if not known or without meaning.
struct DataConstants {
  // Best possible loss on test, nats per token, with all text before and with T tokens of context.
  std::optional<double> bayes_loss, bayes_loss_window;
  std::optional<double> val_bytes_per_token, test_bytes_per_token;
  std::optional<double> uniform_loss;  // of the same probability for every outcome
};

/// A file that is kept beside data.json.
struct KeptFile {
  std::string name, bytes;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;
  /// The data, and the part that runs with these settings are evaluated on.
  virtual DataSummary describe(const Settings& settings) const = 0;
  /// Hash of all data that the result depends on, except what follows from the seed: 32 hex digits.
  virtual std::string data_hash() const = 0;
  /// What the model's inputs and outputs mean (language modelling: the tokenizer and its pieces). A
  /// JSON object, kept with the run: weights are useless with another one.
  virtual nlohmann::ordered_json encoding() const = 0;
  /// Files for which encoding() has no room: the tokenizer, under a name of the tokenizers' table.
  virtual std::vector<KeptFile> files() const { return {}; }
  /// Makes text of the task's tokens; null if they are not text.
  virtual const data::Tokenizer* tokenizer() const { return nullptr; }
  /// The corpus that the task learns; null if it learns no text.
  virtual const data::Corpus* text_corpus() const { return nullptr; }
  /// Memory that the data take.
  virtual std::size_t bytes() const = 0;
  virtual models::GptConfig model(const Settings& settings) const = 0;
  /// Records the model for `rows` rows: in kTrain those of the batch, once for each pass of a step.
  virtual Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                          models::Mode mode, models::Output output) const;
  virtual TargetKind target_kind() const { return TargetKind::kClass; }
  /// Throws base::Error if the settings ask for more data than there are. Feed and exam refer to
  /// the task's data.
  virtual std::unique_ptr<Feed> feed(const Settings& settings) const = 0;
  /// Null if there is no test split.
  virtual std::unique_ptr<Exam> exam(const Settings& settings, Split split) const = 0;
  /// Whether each seed has its own held-out data; otherwise all seeds share them.
  virtual bool own_exams() const = 0;
  virtual DataConstants constants() const { return {}; }
  /// Remarks on data that can be used but may not be what one expects.
  virtual std::vector<std::string> notes() const { return {}; }
};

/// The task of settings.task with its data read or made. Throws base::Error.
std::unique_ptr<Task> load_task(const Settings& settings);

}  // namespace train
