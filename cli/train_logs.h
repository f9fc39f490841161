// The logs that `isodrop train` keeps of a run: --log, --norms-interval, --sample-tokens.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/options.h"
#include "train/log/tensorboard.h"
#include "train/storage/run_files.h"
#include "train/watches.h"

namespace cli {

/// The flags, for the command's list.
std::vector<Extra> log_flags();
/// Throws base::Error where one is not right: before anything is written.
void check_log_flags(const Parsed& args);

/// Of a run that goes on: gives the flags that its folder keeps, of --log and all others, to those
/// that are not given. Throws base::Error where the folder's file is not right.
void recall_flags(Parsed& args, const std::filesystem::path& folder);
/// What recall_flags() will find.
base::Json kept_flags(const Parsed& args);

class TrainLogs {
 public:
  /// Opens those that are asked for. `files`, `task` and `trainer` outlive this. `note`, which
  /// outlives `files`, is told of a full disk.
  TrainLogs(const Parsed& args, const std::filesystem::path& folder, train::RunFiles& files,
            const train::Task& task, train::Trainer& trainer,
            const std::function<void(const std::string&)>& note);
  const std::vector<train::Sink*>& sinks() const { return sinks_; }
  std::int64_t norms_interval() const { return norms_interval_; }

 private:
  std::optional<train::TensorBoard> events_;
  std::optional<train::TextWatch> texts_;
  std::vector<train::Sink*> sinks_;
  std::int64_t norms_interval_ = 0;
};

}  // namespace cli
