// What is in a store: a look at every run's folder, which changes nothing, and what may be removed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/runs/record.h"
#include "lab/runs/spec.h"
#include "lab/runs/store.h"

namespace lab {

/// kDone: has its record. kMade: a process is at it. kStopped: a process that was at it has left
/// files half written. kPlanned: has its spec alone. kBroken: files that cannot be read, or are not
/// those of this id.
enum class RunState : std::uint8_t { kDone, kMade, kStopped, kPlanned, kBroken };
std::string_view to_string(RunState state);  // "done", "being made", "stopped", "planned", "broken"

struct SurveyedRun {
  std::string id;
  RunState state = RunState::kPlanned;
  std::string broken;  // what is wrong with it
  std::optional<RunSpec> spec;
  std::optional<RunRecord> record;  // this build's if there is one
  std::optional<double> step;  // of the last line of metrics.jsonl, or of what is being written
  std::uintmax_t bytes = 0;
  bool weights = false;
  std::vector<std::filesystem::path> temporaries;
};

/// Whether it is what a run is called by: 32 hex digits, so that as a path it leads nowhere else.
bool is_id(std::string_view name);
/// Names of the store's folders of runs, sorted. Throws base::Error if there is no store.
std::vector<std::string> ids_of(const Store& store);
/// All runs of the store by their ids. Throws base::Error if there is no such folder.
std::vector<SurveyedRun> survey(const Store& store);
/// The run that 'isodrop train' has in a folder, its path as the id; none if no such run is there.
std::optional<SurveyedRun> survey_trained(const std::filesystem::path& folder);
/// The one run whose id begins with `prefix`. Throws base::Error: none, or several.
SurveyedRun find_run(const Store& store, const std::string& prefix);

/// Settings that decide results and are not their default: "n_layer" and "4".
std::vector<std::pair<std::string, std::string>> regime(const train::Settings& settings);

struct Difference {
  std::string name, first, second;  // empty: not known
};
/// What two runs were told that differs, data included; and what came of them.
std::vector<Difference> settings_that_differ(const SurveyedRun& a, const SurveyedRun& b);
std::vector<Difference> values_that_differ(const SurveyedRun& a, const SurveyedRun& b);

/// What became of a file or folder that should go.
struct Removed {
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  std::string why;
};
/// The run's folder. Throws base::Error if a process is making it.
Removed remove_run(const Store& store, const std::string& id);
/// Leftovers of processes that were killed: temporaries, and folders without a spec. With
/// `planned`, runs that have a spec alone, too. Leaves alone what is locked.
std::vector<Removed> collect_garbage(const Store& store, bool planned);

}  // namespace lab
