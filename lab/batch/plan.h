// Runs of a session that others make: specs and scripts on disk, and what is missing afterwards.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lab/session/session.h"

namespace lab {

struct PlanOptions {
  std::filesystem::path folder;  // --plan
  std::string system;            // the batch system whose script is written, too; empty: none
};

struct PlanWritten {
  bool tuning = false;                // the specs are the tuning's; the judged ones come later
  std::size_t specs = 0, runs = 0;    // written, of all runs of this phase
  std::string start;                  // what to type to start the script; empty: there is none
  std::filesystem::path script = {};  // its path
};
/// Writes the specs of the missing runs of session.next() and, if asked, the list and the script
/// that make them. Throws base::Error.
PlanWritten write_plan(const Session& session, const PlanOptions& options);

/// What is missing of session.next().
struct MissingRuns {
  std::size_t runs = 0;
  bool tuning = false;
  std::vector<std::pair<std::string, std::string>> missing;  // id and label
  std::map<std::string, std::size_t> other_builds;           // that made some of the missing
};
MissingRuns missing_runs(const Session& session);
Json to_json(const MissingRuns& missing);
std::string render_text(const MissingRuns& missing);

/// Has Slurm make the missing runs, the tuning's first and then the judged ones, and waits for each
/// job to end. Throws Interrupted, in which case the job goes on, and base::Error.
void submit_all(Session& session, const PlanOptions& options, Observer& observer);

}  // namespace lab
