// The folder of a comparison: its identity, a folder for every run, and how often it was looked at.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace lab {

using Json = nlohmann::ordered_json;

/// Names one run of a comparison.
struct RunKey {
  std::size_t cell = 0, arm = 0;
  std::int64_t seed = 0;
  double share = 1;  // of the budget
  auto operator<=>(const RunKey&) const = default;
};

/// What is kept of a run.
struct RunRecord {
  std::int64_t seed = 0;
  std::string status;                                         // "ok", "diverged" or "failed"
  std::string error;                                          // of a failed one
  std::optional<double> val_loss, best_val_loss, train_loss;  // nats per token
  double epochs = 0, tokens = 0, flops = 0, seconds = 0, eval_seconds = 0;
  std::int64_t steps = 0;
  std::optional<std::int64_t> diverged_at;
};

RunRecord to_record(const train::RunResult& result, std::int64_t seed);
Json to_json(const RunRecord& record);
/// Trusts nothing; throws engine::Error naming `source`.
RunRecord from_json(const Json& json, const std::string& source);

class RunStore {
 public:
  /// Looks at the folder and writes nothing. Throws engine::Error where it holds anything but this
  /// identity.
  RunStore(std::filesystem::path folder, Json identity);
  /// Creates the folder where it is not there yet. Throws engine::Error where that cannot be.
  void create();

  const std::filesystem::path& folder() const { return folder_; }
  /// Where a run keeps its files: "cell/arm/seed-3".
  std::filesystem::path run_folder(const std::string& cell, const std::string& arm,
                                   const RunKey& key) const;
  std::optional<RunRecord> load(const std::filesystem::path& run_folder) const;
  void save(const std::filesystem::path& run_folder, const RunRecord& record) const;

  std::map<RunKey, RunRecord> records;

  /// How many looks there were, this one included: a look is a verdict shown, followed by seeds it
  /// did not have.
  int look(std::int64_t seeds);

  /// Anything else that is kept: read back or null.
  Json load_extra(const std::string& name) const;
  void save_extra(const std::string& name, const Json& json) const;

 private:
  std::filesystem::path folder_;
  Json identity_;
};

/// Throws engine::Error where `folder` holds a comparison, into which nothing else may be written.
void refuse_comparison(const std::filesystem::path& folder);

/// 16 hex digits of a JSON value, the same on every machine.
std::string fingerprint(const Json& json);

}  // namespace lab
