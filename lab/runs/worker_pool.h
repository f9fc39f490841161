// Processes that work for this one, several at once, so that a crash of one touches no other.
//
// A worker is a fork of this process: it shares the corpus and whatever else was loaded, page by
// page, and needs no command line of its own. A fork copies the calling thread alone and would hang
// in the first parallel loop if OpenMP had started others, so whoever uses a pool computes nothing
// in parallel before; start() checks that.
#pragma once
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// SIGINT, SIGTERM or SIGHUP has come while workers were running; they are gone.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int number);
  int signal;
};

/// "SIGKILL"
std::string signal_name(int number);

/// How a worker ended.
struct WorkerEnd {
  pid_t pid = -1;
  int code = 0, signal = 0;  // its exit code, or the signal that ended it
  std::string error;         // what its work threw
  bool ok() const { return code == 0 && signal == 0; }
  /// What went wrong, for a message.
  std::string reason() const;
};

class WorkerPool {
 public:
  using Tell = std::function<void(std::string_view)>;  // sends a message to the pool's owner

  /// What a worker says or how it ended.
  struct Event {
    std::size_t worker = 0;
    std::string message;
    std::optional<WorkerEnd> end;  // the last event of a worker
  };

  /// From here on the signals that mean "stop" are waited for in wait() alone.
  WorkerPool();
  /// Ends the workers that are left.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Starts a process that does `work` and ends; what it throws is in WorkerEnd::error. It ends,
  /// too, when this process does, however that happens. Returns its process id.
  /// REQUIRES: this process has one thread; no running worker has that number.
  pid_t start(std::size_t worker, const std::function<void(const Tell&)>& work);

  std::size_t running() const { return workers_.size(); }

  /// The next event; nullopt when `seconds` have passed without one, or nothing runs.
  /// Throws Interrupted.
  std::optional<Event> wait(std::optional<double> seconds = {});

  /// Ends all workers at once (SIGKILL).
  void stop();

 private:
  struct Worker {
    std::size_t number = 0;
    pid_t pid = -1;
    int pipe = -1;
    std::string received;  // not yet a whole message
    std::string error;     // what its work threw
  };
  [[noreturn]] void work_and_exit(pid_t parent, int pipe,
                                  const std::function<void(const Tell&)>& work);
  static std::optional<Event> next_message(Worker& worker);
  Event reap(std::size_t index);
  void throw_if_interrupted();

  std::vector<Worker> workers_;
  sigset_t before_{};  // signals blocked outside
  int signals_ = -1;   // signalfd
};

}  // namespace lab
