// Checks a stored run by making it again, and takes over the runs of other stores.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/runs/make.h"
#include "lab/runs/store.h"

namespace lab {

struct Verified {
  std::string id;
  std::uint64_t seed = 0;
  bool same_build = true;                     // only then the same bits are promised
  std::map<std::string, double> differences;  // of metrics that are no times: made again − kept
  bool windows = true;                        // all losses of windows are equal
  std::optional<bool> weights;                // the same bytes; nothing if none were kept
  bool equal() const { return differences.empty() && windows && weights.value_or(true); }
};

/// How two records of one run differ; their weights are not looked at.
Verified compare(const RunRecord& kept, const RunRecord& again);

/// The run's spec and record as the store has them. Throws base::Error if either is not there
/// or not what its id says.
RunSpec stored_spec(const Store& store, const std::string& id);
RunRecord stored_record(const Store& store, const std::string& id);

/// Makes the run in a store of its own below `scratch`. Throws base::Error as make_run() does.
Verified verify_run(const Store& store, const std::string& id, const std::filesystem::path& scratch,
                    const MakeEvents& events = {});

struct TakenUp {
  std::filesystem::path from;
  std::size_t taken = 0;             // were not here
  std::size_t there = 0;             // are here with the same result
  std::size_t other_build = 0;       // are here by another build, which stays
  std::vector<std::string> refused;  // "run ID: why", of what is broken, differs or is being made
};

/// Copies spec, log, weights and, last and at once, the record of every whole run of `from` that
/// this store has not; a record is whole where it reads as one, and its run's where its spec has
/// the folder's id and its seed. Nothing that is here is replaced, but that the record of another
/// build than this program's makes room for one of this program's (and stays beside it).
/// Throws base::Error if `from` is no store or this one cannot be written to.
TakenUp take_up(const Store& store, const std::filesystem::path& from);

}  // namespace lab
