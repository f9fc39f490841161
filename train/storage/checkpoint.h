// A run's state, and its form on disk: checkpoint-000500.safetensors in the run's folder, with
// weights under the names of model.safetensors.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/params.h"
#include "train/config/settings.h"
#include "train/optim/optimizer.h"

namespace train {

/// A budget that was extended to a larger one after `until` steps.
struct Stretch {
  std::string budget;
  std::int64_t until = 0;
  bool operator==(const Stretch&) const = default;
};

/// The whole state of a run: with it and the settings, the next step has the same bits as if the
/// run had not stopped. A new member needs a line in checkpoint.cpp, which does not compile without
/// it.
struct TrainState {
  std::int64_t step = 0;  // done, and the index of the next
  Spent spent;
  std::unique_ptr<engine::Params> params;  // with the norms' statistics
  Moments moments;
  // of the last step
  double progress = 1;  // share of the budget spent, for schedules
  double lr = 0, grad_norm = 0;
  // of every step: the batch's loss, regularizers on, nats; the gradient's norm before clipping
  std::vector<float> losses, grad_norms;
  // since the last evaluation, regularizers on, nats
  double loss_sum = 0;
  std::int64_t loss_count = 0;
  std::optional<double> val_loss, best_val_loss;  // last, lowest
  std::vector<float> best_weights;                // of the lowest, if keeps_best()
  std::vector<float> val_windows;                 // losses of those that are the result so far
  // with regularizers on, nats: of the first step, and over the last tenth of the budget
  std::optional<double> first_loss;
  double late_loss_sum = 0;
  std::int64_t late_loss_count = 0;
  std::int64_t worse = 0;  // evaluations since the lowest, for the setting `patience`
  double next_eval = 0;    // share of a budget in seconds
  double eval_seconds = 0;
  Spent recalibration;           // outside the budget
  std::vector<Stretch> earlier;  // budgets that were extended, first to last

  double running_loss() const { return loss_sum / static_cast<double>(loss_count); }
};

/// Checkpoints in a folder, the newest first; none without the folder. Throws Unreadable.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);

/// Renames a checkpoint that cannot be used, so that it is neither read nor lost. Returns what
/// happened.
std::string set_aside(const std::filesystem::path& checkpoint);
/// Whether set_aside() gave a file this name.
bool is_set_aside(std::string_view name);

/// Size of a checkpoint with these parameters on disk, without its header of a few kilobytes. They
/// need not be allocated.
std::size_t checkpoint_bytes(const engine::Params& params, const Settings& settings);

/// The checkpoints of one run.
class Checkpoints {
 public:
  /// Writes nothing. The settings except their budget, and the data's hash, identify the run.
  Checkpoints(std::filesystem::path folder, const Settings& settings, std::string_view data_hash);

  /// Writes the state atomically, then removes all checkpoints but the newest two. Throws
  /// base::Error (disk full); existing ones stay.
  void save(const TrainState& state) const;

  struct Loaded {
    std::filesystem::path path;
    // Newer ones that could not be used, with the reason.
    std::vector<std::pair<std::filesystem::path, std::string>> damaged;
    std::string extended;  // the budget it was saved under, if another one
  };
  /// Fills the state from the newest usable checkpoint of this run. One of another budget begins a
  /// new schedule: sums over the end of the old one, and patience, restart. Throws base::Error
  /// naming all files if none can be used. REQUIRES: the state is that of a new trainer of the run.
  Loaded load(TrainState& state) const;

  /// Removes all others.
  void keep_only(const std::filesystem::path& path) const;

 private:
  void fill(TrainState& state, const std::filesystem::path& path, std::string& extended) const;
  std::string id(const std::string& budgets) const;

  std::filesystem::path folder_;
  std::string budget_, run_;
};

}  // namespace train
