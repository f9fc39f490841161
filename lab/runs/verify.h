// Makes a run that is there once more, beside it, and says whether the same came of it.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "lab/runs/make.h"

namespace lab {

struct Verified {
  std::string id;
  std::uint64_t seed = 0;
  bool same_build = true;                     // only then the same bits are promised
  std::map<std::string, double> differences;  // of metrics that are no times: made again − kept
  bool windows = true;                        // all losses of windows are equal
  std::optional<bool> weights;                // the same bytes; nothing where none were kept
  bool equal() const { return differences.empty() && windows && weights.value_or(true); }
};

/// How two records of one run differ; their weights are not looked at.
Verified compare(const RunRecord& kept, const RunRecord& again);

/// The run's spec and record as the store has them. Throws base::Error where either is not there
/// or not what its id says.
RunSpec stored_spec(const Store& store, const std::string& id);
RunRecord stored_record(const Store& store, const std::string& id);

/// Makes the run in a store of its own below `scratch`. Throws base::Error as make_run() does.
Verified verify_run(const Store& store, const std::string& id, const std::filesystem::path& scratch,
                    const MakeEvents& events = {});

}  // namespace lab
