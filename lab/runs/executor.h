// Makes runs by starting `isodrop run` for each, several at once. Nothing else starts a run.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lab/runs/store.h"

namespace lab {

/// What a worker says: one JSON object a line, {"event": NAME, ...}.
namespace event {
inline constexpr const char* kProgress = "progress";  // train::Progress by its fields
inline constexpr const char* kWaiting = "waiting";    // for another process that is making it
inline constexpr const char* kTrial = "trial";        // {at, steps}: seconds of the monotonic clock
}  // namespace event

Json to_json(const train::Progress& progress);
train::Progress progress_from_json(const Json& json);

// Exit codes of `isodrop run`.
inline constexpr int kRunDiverged = 3, kRunBusy = 75;

/// A run that somebody asks for.
struct RunRequest {
  std::string id;
  std::size_t number = 0;           // from 1, of all runs of the study
  std::string label;                // "epochs=32 · dropout=0.1 · seed 3"
  std::filesystem::path spec = {};  // where its spec is; empty: in the store
};

/// How runs are made: `count` at once, each on its share of the threads.
struct Workers {
  std::string program;       // isodrop
  std::int64_t count = 1;    // at once
  std::int64_t threads = 1;  // of all of them together
  bool other_builds = false;
  bool keep_weights = false;
  bool wait = true;  // in the end, for what others are making; otherwise it is left to them

  /// Threads of one of them, 0 <= slot < count: all in all `threads`, at least 1 each.
  std::int64_t share(std::int64_t slot) const;
  /// The command line that makes a run.
  std::vector<std::string> command(const Store& store, const RunRequest& request,
                                   std::int64_t slot) const;
};

/// One that is being made here and has said where it is.
struct LiveRun {
  RunRequest request;
  train::Progress progress;
};

/// What the caller shows while runs are made; each may be empty.
struct RunEvents {
  std::function<void(const std::string&)> note;  // a line that stays
  /// A run is there (made here or by another process), has diverged, or failed; which it was is in
  /// the record. A failed one has an id, a status and an error alone.
  std::function<void(const RunRecord&)> done;
  /// Those being made here, in the order they were asked for.
  std::function<void(std::span<const LiveRun>)> progress;
};

/// Makes them in order. No process is started for what is there by then. What another process is
/// making is left to it, and waited for at the end. Throws Interrupted when this process was asked
/// to stop; the workers are gone then, and what was done is kept. REQUIRES: the specs are where the
/// requests say.
void execute(const std::vector<RunRequest>& requests, const Store& store, const Workers& workers,
             const RunEvents& events);

}  // namespace lab
