// A run's state on disk, from which it goes on in the same bits: checkpoint-000500.safetensors in
// the run's folder, weights under the names that model.safetensors has.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/config/settings.h"
#include "train/storage/state.h"

namespace train {

/// Files of checkpoints in a folder by their step, the newest first. Throws Unreadable where there
/// is such a folder and it cannot be looked into.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);

/// Gives one that cannot be used a name under which nobody looks for it; what it holds is not lost.
/// Says what came of it.
std::string set_aside(const std::filesystem::path& checkpoint);
/// Whether a file's name is one that set_aside() gave.
bool is_set_aside(std::string_view name);

/// What a checkpoint of a run with these parameters takes on disk, but for its header of some
/// kilobytes. They need not be allocated.
std::size_t checkpoint_bytes(const engine::Params& params, const Settings& settings);

/// The checkpoints of one run.
class Checkpoints {
 public:
  /// Writes nothing. `settings` with the budget that the run is on: all else in them, and the
  /// data's hash, say which run it is.
  Checkpoints(std::filesystem::path folder, const Settings& settings, std::string_view data_hash);

  /// Writes the state, atomically, then removes all but it and the newest before it.
  /// Throws base::Error (disk full); what was there stays.
  void save(const TrainState& state) const;

  struct Loaded {
    std::filesystem::path path;
    // Newer ones that could not be used, with the reason.
    std::vector<std::pair<std::filesystem::path, std::string>> damaged;
    std::string extended;  // the budget it was saved under, where that was another one
  };
  /// Fills the state from the newest that is whole and of this run. One that was saved under
  /// another budget is the beginning of a new schedule: sums over the end of the old one begin
  /// anew, and so does patience. Throws base::Error naming all files where none can be used.
  /// REQUIRES: the state is that of a new trainer of the run.
  Loaded load(TrainState& state) const;

  /// Removes all but one.
  void keep_only(const std::filesystem::path& path) const;

 private:
  void fill(TrainState& state, const std::filesystem::path& path, std::string& extended) const;
  std::string id(const std::string& budgets) const;

  std::filesystem::path folder_;
  std::string budget_, run_;
};

}  // namespace train
