#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <exception>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/parallel.h"
#include "cli/train_run.h"
#include "engine/buffer.h"
#include "lab/runs/build.h"
#include "lab/runs/record.h"
#include "train/tasks/task.h"

namespace cli {
namespace {

using train::RankCommand;

// Seconds that a process waits for the others after a signal: they get it too, and the launcher
// kills all a second later. The leader waits longer if it has no state to keep without the others;
// the followers leave the decision to the leader, unless it is gone.
constexpr double kLeaderPatience = 0.2, kShardPatience = 0.6, kFollowerPatience = 30;

/// Uses an even share of the host's cores, or fewer if the launcher has bound this process to
/// fewer. OMP_NUM_THREADS, if set, decides.
void take_share_of_cores(std::int64_t threads, int processes) {
  if (threads == 0 && std::getenv("OMP_NUM_THREADS") == nullptr) {
    const auto share = sysconf(_SC_NPROCESSORS_ONLN) / processes;
    threads = std::max<std::int64_t>(1, std::min<std::int64_t>(share, base::max_threads()));
  }
  base::use_threads(threads);
}

/// What decides the bits that a build computes.
lab::Json build() {
  lab::Json json = lab::to_json(lab::this_build());
  json.erase("commit");
  return json;
}

std::span<std::byte> bytes_of(std::string& text) {
  return std::as_writable_bytes(std::span(text.data(), text.size()));
}

int follow(train::Communicator& communicator) {
  const RankCommand command = receive_command(communicator);
  if (command.kind != RankCommand::Kind::kBegin) return 0;
  std::string text(command.index, ' ');
  communicator.broadcast(bytes_of(text));
  const lab::Json run =
      base::parse_json(text, "the message of rank 0", "start all ranks from one program");
  base::require(
      run.at("build") == build(),
      "this program is a different build than rank 0's, or its CPU has other instructions, "
      "and may round differently: ",
      base::json_compact(build()), " here, ", base::json_compact(run.at("build")), " there");
  const train::Settings settings = train::from_json(run.at("settings"), "rank 0's settings");
  take_share_of_cores(settings.threads, communicator.on_this_host());
  const std::unique_ptr<train::Task> task = train::load_task(settings);
  base::require(run.at("data") == task->data_hash(),
                "the data differ from rank 0's; give all hosts the same files");
  train::RunPlan plan(settings, *task);
  if (run.at("shard_moments") == true)
    plan.shard_moments(static_cast<std::size_t>(communicator.size()));
  train::Trainer trainer(std::move(plan));
  trainer.follow(communicator);
  return 0;
}

}  // namespace

void Followers::join(const train::Settings& settings, bool shard_moments,
                     const StopSignals& signals) {
  const train::Launch launch = train::launched();
  base::require(!shard_moments || launch.size > 1,
                "--shard-moments: one process has all moments; start several with mpirun, or leave "
                "it out");
  shard_moments_ = shard_moments;
  if (launch.size == 1) return;
  communicator_ = train::connect_ranks(
      launch, [&signals] { return signals.signal() != 0; },
      shard_moments ? kShardPatience : kLeaderPatience);
  const std::int64_t size = launch.size;
  base::require(std::has_single_bit(static_cast<unsigned>(size)), "started as ", size,
                " processes, which is not a power of two: start ",
                std::bit_floor(static_cast<unsigned>(size)));
  base::require(settings.shards % size == 0, "--shards ", settings.shards, ": ", size,
                " processes share a run by the shards of its batch; give --shards ", size,
                " or a larger power of two, or start at most ", settings.shards);
  take_share_of_cores(settings.threads, communicator_->on_this_host());
}

void Followers::lead(train::Trainer& trainer, const train::Task& task) {
  if (!communicator_) return;
  train::MemoryNeed need = trainer.memory();
  if (shard_moments_) need.shard_moments(static_cast<std::size_t>(communicator_->size()));
  engine::require_memory(
      static_cast<double>(need.total()) * static_cast<double>(communicator_->on_this_host() - 1),
      "the other processes of this run on this host");
  std::string text = base::json_compact({{"build", build()},
                                         {"settings", train::to_json(trainer.planned().settings)},
                                         {"shard_moments", shard_moments_},
                                         {"data", task.data_hash()}});
  exceptions_ = std::uncaught_exceptions();
  leading_ = true;
  send_command(*communicator_, {RankCommand::Kind::kBegin, text.size()});
  communicator_->broadcast(bytes_of(text));
  trainer.lead(*communicator_, shard_moments_);
}

Followers::~Followers() {
  if (!communicator_) return;
  // In the middle of a step they wait for other calls; the launcher ends them.
  if (leading_ && std::uncaught_exceptions() > exceptions_) communicator_->leave();
  try {
    send_command(*communicator_, {RankCommand::Kind::kEnd});
  } catch (const train::RankLost&) {
    // They have ended one way or another, or will be ended.
  }
}

int follow_train(const train::Launch& launch) {
  if (train::mpi_version().empty()) return 2;  // rank 0 says it
  StopSignals signals(/*tells=*/false);
  signals.hold();
  const std::unique_ptr<train::Communicator> communicator = train::connect_ranks(
      launch, [&] { return signals.signal() != 0; }, kFollowerPatience);
  try {
    return follow(*communicator);
  } catch (const std::exception& e) {
    communicator->leave();
    throw base::Error(fmt::format("rank {}: {}", launch.rank, e.what()));
  }
}

}  // namespace cli
