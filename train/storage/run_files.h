// The files of one run's folder: config.json (and config.toml, the same for people), flags.json,
// data.json with the tokenizer where it has a file, environment.json, metrics.jsonl, its
// checkpoints (checkpoint.h), and when it is through model.safetensors and at last summary.json.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/files.h"
#include "engine/params.h"
#include "train/config/settings.h"
#include "train/log/json_lines.h"
#include "train/storage/safetensors.h"
#include "train/tasks/task.h"

namespace train {

/// By which config.json, data.json and weights know each other: a hash of the settings, as they
/// stand in config.json, and the data.
std::string pairing_id(const nlohmann::ordered_json& config, std::string_view data_hash);

/// Throws base::Error where a folder holds an unfinished run that could go on from a checkpoint.
void refuse_unfinished(const std::filesystem::path& folder);

class RunFiles {
 public:
  /// Begins a run: creates the folder, moves a run that is there with its weights to previous/ (in
  /// place of what is there), removes what one without them has left, and writes what is known at
  /// the start. Throws base::Error, also where another process is at it, and where the
  /// folder has files of such names that are somebody else's (refuse_others()), and where an
  /// unfinished run could go on from a checkpoint, unless `restart` says that it may be removed.
  RunFiles(const std::filesystem::path& folder, const Settings& settings, const Task& task,
           const nlohmann::ordered_json& environment, bool restart = false);
  /// Goes on with the run that is there, after a step: what its logs say of later ones is dropped.
  RunFiles(std::unique_ptr<base::RunLock> lock, const std::filesystem::path& folder,
           const Task& task, std::int64_t step);

  /// metrics.jsonl, which is there from the first call on. `note` is told of a full disk
  /// (LineFile).
  Sink& metrics(std::function<void(const std::string&)> note = {});
  /// The flags of the command that are no settings, which --resume keeps.
  void write_flags(const nlohmann::ordered_json& flags) const;
  void write_summary(const nlohmann::ordered_json& summary) const;
  /// Returns the file's path.
  std::filesystem::path write_weights(const engine::Params& params) const;

 private:
  std::filesystem::path folder_;
  std::unique_ptr<base::RunLock> lock_;
  std::string id_;
  std::filesystem::path metrics_path_;
  std::optional<double> bytes_per_token_;
  bool goes_on_ = false;  // with the lines that are there
  std::optional<JsonLines<base::LineFile>> metrics_;
};

/// Of which data the weights are.
struct SavedData {
  std::string task, hash;           // Task::name(), Task::data_hash()
  nlohmann::ordered_json encoding;  // Task::encoding()
};

/// What a run that was begun says of itself: its settings, and what it learns from.
struct BegunRun {
  std::filesystem::path folder;
  Settings settings;
  SavedData data;
};
/// What a finished run left.
struct SavedRun : BegunRun {
  TensorFile weights;
};

/// The lock of a folder that is there. Throws base::Error where another process has it.
std::unique_ptr<base::RunLock> lock_run(const std::filesystem::path& folder);

/// Reads it, trusting nothing. Throws base::Error naming the folder or the file, and what makes
/// one.
BegunRun read_begun(const std::filesystem::path& folder);
/// The settings alone.
Settings read_config(const std::filesystem::path& folder);
/// What write_flags() wrote: texts by name; an empty object where there is no such file.
nlohmann::ordered_json read_flags(const std::filesystem::path& folder);
/// What a run wrote when it ended; null where it has not.
nlohmann::ordered_json read_summary(const std::filesystem::path& folder);

/// Gives a run other settings: the result of one that has ended goes to previous/, then config.json
/// is replaced, so that whenever this is stopped the run can go on with the old settings or the
/// new. REQUIRES: the caller holds the lock.
void change_settings(const std::filesystem::path& folder, const Settings& settings);

/// Reads them, trusting nothing: files of two runs are refused. Throws base::Error naming the
/// folder or the file, and what makes one.
SavedRun read_run(const std::filesystem::path& folder);

/// Throws base::Error unless `task` encodes as the run's did: with another vocabulary the weights
/// mean nothing.
void require_same_encoding(const BegunRun& run, const Task& task);
/// The same, and the data are those the run was trained on.
void require_same_data(const BegunRun& run, const Task& task);

}  // namespace train
