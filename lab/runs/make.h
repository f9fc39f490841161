// Makes a run: whole or not at all, and only where it is not there yet.
#pragma once
#include <functional>
#include <memory>

#include "lab/runs/store.h"

namespace lab {

struct MakeOptions {
  bool wait = true;           // for a process that is making it
  bool other_build = false;   // a record by another build will do
  bool keep_weights = false;  // a run that is there without them is made again
};

struct Made {
  enum class How : std::uint8_t { kWasThere, kMade, kBusy } how = How::kWasThere;
  RunRecord record;  // unless busy
};

/// What the caller shows meanwhile.
struct MakeEvents {
  std::function<void()> waiting;  // for another process, from now on
  std::function<void(const train::Progress&)> progress;
};

/// Whether a record may stand for a run of this program.
bool usable(const RunRecord& record, bool other_build);

/// The record if the run is there already, as the options want it. Throws base::Error if it
/// cannot be read.
std::optional<RunRecord> find_made(const Store& store, const std::string& id,
                                   const MakeOptions& options);

/// Idempotent: at once where the run is there already. Two processes that ask for the same run make
/// it once; one that is killed leaves nothing that the next one would take for a run.
/// Throws base::Error if it cannot be made: data that are not those of the spec, too little
/// memory, a disk that is full.
Made make_run(const RunSpec& spec, const Store& store, const MakeOptions& options,
              const MakeEvents& events);

/// The task of a spec with its data. Throws base::Error if they are not the ones that the spec
/// was made for.
std::unique_ptr<train::Task> load_checked(const RunSpec& spec);

}  // namespace lab
