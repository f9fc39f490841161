// The files of one run's folder: config.json, data.json, environment.json, metrics.jsonl, and when
// it is through model.safetensors and summary.json.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/params.h"
#include "train/log/json_lines.h"
#include "train/safetensors.h"
#include "train/settings.h"
#include "train/task.h"

namespace train {

/// By which config.json, data.json and weights know each other: a hash of the settings, as they
/// stand in config.json, and the data.
std::string pairing_id(const nlohmann::ordered_json& config, std::string_view data_hash);

class RunFiles {
 public:
  /// Creates the folder, moves a run that is there with its weights to previous/ (in place of what
  /// is there), removes what one without them has left, and writes what is known at the start.
  /// Throws engine::Error.
  RunFiles(const std::filesystem::path& folder, const Settings& settings, const Task& task,
           const nlohmann::ordered_json& environment);

  /// metrics.jsonl.
  Sink& metrics() { return metrics_; }
  void write_summary(const nlohmann::ordered_json& summary) const;
  /// Returns the file's path.
  std::filesystem::path write_weights(const engine::Params& params) const;

 private:
  std::filesystem::path folder_;
  std::string id_;
  JsonLines<LineFile> metrics_;
};

/// Of which data the weights are.
struct SavedData {
  std::string task, hash;           // Task::name(), Task::data_hash()
  nlohmann::ordered_json encoding;  // Task::encoding()
};

/// What a finished run left: its settings, its weights, and what it learned from.
struct SavedRun {
  std::filesystem::path folder;
  Settings settings;
  SavedData data;
  TensorFile weights;
};

/// Reads them, trusting nothing: files of two runs are refused. Throws engine::Error naming the
/// folder or the file, and what makes one.
SavedRun read_run(const std::filesystem::path& folder);

/// Throws engine::Error unless `task` encodes as the run's did: with another vocabulary the weights
/// mean nothing.
void require_same_encoding(const SavedRun& run, const Task& task);
/// The same, and the data are those the run was trained on.
void require_same_data(const SavedRun& run, const Task& task);

}  // namespace train
