// The files of one run's folder: config.json (and config.toml, the same for people), flags.json,
// data.json with the tokenizer's file, environment.json, metrics.jsonl, checkpoints (checkpoint.h),
// and at the end model.safetensors, then summary.json.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "engine/params.h"
#include "train/config/settings.h"
#include "train/log/sink.h"
#include "train/storage/safetensors.h"
#include "train/tasks/task.h"

namespace train {

namespace run_file {
inline constexpr const char* kConfig = "config.json";
inline constexpr const char* kConfigToml = "config.toml";  // for people, never read back here
inline constexpr const char* kFlags = "flags.json";        // the command line's, for --resume
inline constexpr const char* kData = "data.json";
inline constexpr const char* kEnvironment = "environment.json";
inline constexpr const char* kMetrics = "metrics.jsonl";
inline constexpr const char* kSummary = "summary.json";
inline constexpr const char* kWeights = "model.safetensors";
inline constexpr const char* kPrevious = "previous";
}  // namespace run_file

/// Files in which a run may keep its tokenizer.
std::vector<std::string> tokenizer_files();

/// Names of a run's files in a folder, checkpoints included. Weights come first: if removing them
/// is stopped, no two runs are mixed. Settings come last: until then the folder is known as a
/// run's.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Throws base::Error if a folder, or previous/ in it, has files of these names without a
/// config.json of isodrop's: a new run would replace somebody else's files. Also if `settings` name
/// one of them as text or table.
void refuse_others(const std::filesystem::path& folder, const Settings& settings);

/// Hash of the settings as they are in config.json and of the data; ties the files of a run
/// together.
std::string pairing_id(const nlohmann::ordered_json& config, std::string_view data_hash);

/// Throws base::Error if a folder holds an unfinished run that could continue from a checkpoint.
void refuse_unfinished(const std::filesystem::path& folder);

class RunFiles {
 public:
  /// Starts a run: creates the folder, moves an existing run with weights to previous/, removes the
  /// files of one without, and writes what is known at the start. Throws base::Error if another
  /// process is training there, refuse_others() does, or an unfinished run could continue (unless
  /// `restart`).
  RunFiles(const std::filesystem::path& folder, const Settings& settings, const Task& task,
           const nlohmann::ordered_json& environment, bool restart = false);
  /// Continues an existing run after a step; drops what its logs say of later ones.
  RunFiles(std::unique_ptr<base::RunLock> lock, const std::filesystem::path& folder,
           const Task& task, std::int64_t step);

  /// metrics.jsonl, created by the first call. `note` is told of a full disk (LineFile).
  Sink& metrics(std::function<void(const std::string&)> note = {});
  /// Flags of the command that are not settings; --resume keeps them.
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
  bool continues_ = false;  // appends to the lines that are there
  std::optional<JsonLines<base::LineFile>> metrics_;
};

/// The data that weights were trained on.
struct SavedData {
  std::string task, hash;           // Task::name(), Task::data_hash()
  nlohmann::ordered_json encoding;  // Task::encoding()
};

/// A run that was started: its settings and its data.
struct BegunRun {
  std::filesystem::path folder;
  Settings settings;
  SavedData data;
};
/// A finished run.
struct SavedRun : BegunRun {
  TensorFile weights;
};

/// The lock of an existing folder. Throws base::Error if another process has it.
std::unique_ptr<base::RunLock> lock_run(const std::filesystem::path& folder);

/// Reads a run, trusting nothing. Throws base::Error naming the folder or file, and what makes one.
BegunRun read_begun(const std::filesystem::path& folder);
/// The same with its weights; refuses files of two runs.
SavedRun read_run(const std::filesystem::path& folder);
/// The settings alone.
Settings read_config(const std::filesystem::path& folder);
/// What write_flags() wrote: texts by name; an empty object without the file.
nlohmann::ordered_json read_flags(const std::filesystem::path& folder);
/// What a run wrote at its end; null without the file.
nlohmann::ordered_json read_summary(const std::filesystem::path& folder);

/// Gives a run other settings: moves the result of a finished one to previous/, then replaces
/// config.json. Whenever this is stopped, the run can continue with the old settings or the new.
/// REQUIRES: the caller holds the lock.
void change_settings(const std::filesystem::path& folder, const Settings& settings);

/// Throws base::Error unless `task` encodes data as the run's did: otherwise the weights mean
/// nothing.
void require_same_encoding(const BegunRun& run, const Task& task);
/// Also if the data are not those the run was trained on.
void require_same_data(const BegunRun& run, const Task& task);

}  // namespace train
