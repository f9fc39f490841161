// One run of `isodrop train`, from wherever it is to its end: what a new one and a resumed one
// share, the logs that it keeps (--log, --norms-interval, --sample-tokens), and the other processes
// that mpirun started with it.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/measure.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/terminal.h"
#include "lab/runs/record.h"
#include "train/distributed/mpi_communicator.h"
#include "train/log/tensorboard.h"
#include "train/storage/run_files.h"
#include "train/trainer.h"
#include "train/watches.h"

namespace cli {

/// The other processes of a run, seen from the first one; none where it is alone. It alone reads
/// the command line, decides, evaluates and writes.
class Followers {
 public:
  Followers() = default;
  /// Lets them end, where they still can.
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  /// Joins those that were started with this process, if any, and takes this one's part of the
  /// host's cores unless the settings name a number of threads. Throws base::Error where they
  /// cannot share a run of these settings.
  /// `shard_moments`: as Trainer::lead().
  void join(const train::Settings& settings, bool shard_moments, const StopSignals& signals);
  /// From now on they make their part of every step. Throws base::Error where their memory on
  /// this host is short.
  void lead(train::Trainer& trainer, const train::Task& task);

 private:
  std::unique_ptr<train::Communicator> communicator_;
  bool shard_moments_ = false, leading_ = false;
  int exceptions_ = 0;  // under way when this began to lead
};

/// All that the others do. Exit code.
int follow_train(const train::Launch& launch);

// Exit codes of `train` beside 0 and 2; after a signal 128 + its number.
inline constexpr int kLost = 1, kDiverged = 3, kTimeLimit = 4, kUnwritten = 5;

inline constexpr std::string_view kCheckpointForms = "off, 500steps, 30s or 5min";

/// When the command began, and who may stop it. To be made before anything starts a thread.
struct TrainCommand {
  base::Stopwatch watch;
  StopSignals signals;
  Followers followers;
  ProgressLine line;  // the run's files write to it when they are closed, too
};

/// A run that is ready to go on.
struct ReadyRun {
  std::filesystem::path folder;
  train::Settings settings;  // as in its config.json
  const train::Task& task;
  train::Trainer& trainer;
  train::RunFiles& files;
};

/// Throws base::Error where a flag of train_to_end() is not right: before anything is written.
void check_train_flags(const Parsed& args);

/// Trains, keeps checkpoints, and ends the run's files and says what came of it; or stops, and says
/// how to go on. Exit code.
int train_to_end(const Parsed& args, TrainCommand& command, ReadyRun run);

/// Data, model, budget and memory, on standard error.
void print_train_header(const ReadyRun& run);

/// How long a run takes, evaluations included.
class TimeLeft {
 public:
  explicit TimeLeft(const ReadyRun& run) : run_(run) {}
  /// Seconds of the evaluations that are still to come.
  double evaluation_left(const train::Progress& p) const;
  /// Of the whole run, said once, when the speed is known.
  std::optional<std::string> expected(const train::Progress& p);

 private:
  const ReadyRun& run_;
  bool told_ = false;
};

/// What summary.json says, and the same for people.
lab::Json train_summary(const lab::RunRecord& record, const ReadyRun& run);
void print_train_summary(const lab::RunRecord& record, const ReadyRun& run,
                         const std::string& weights);
/// Says why it stopped and how to continue. Exit code.
int say_stopped(const ReadyRun& run, int signal);
/// Likewise, if another process of the run is gone.
int say_lost(const ReadyRun& run, const train::RankLost& why, int signal);
/// Likewise, if the result could not be written.
int say_unwritten(const ReadyRun& run, const base::Error& why);

/// `train --resume`: exit code. Throws base::Error where the folder holds no run that goes on
/// with these settings.
int resume_run(const Parsed& args, TrainCommand& command);

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
