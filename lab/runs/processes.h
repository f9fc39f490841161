// Several processes at once, read line by line. A crash of one touches no other.
#pragma once
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace lab {

/// SIGINT, SIGTERM or SIGHUP has come while processes were running; they are gone.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int number);
  int signal;
};

/// How a process ended.
struct Ending {
  int code = 0, signal = 0;  // its exit code, or the signal that ended it
  std::string complaint;     // what it printed on standard error
  /// What went wrong, for a message.
  std::string reason() const;
};

class Processes {
 public:
  /// A line that one of them printed, or its end.
  struct News {
    std::size_t number = 0;
    std::string line;
    std::optional<Ending> end;  // the last news of a process
  };

  /// From here on the signals that mean "stop" are waited for in wait() alone.
  Processes();
  /// Ends those that are left.
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  /// Starts a command (its program by path). It reads nothing, and ends, too, when this process
  /// does and it prints the next line. Throws std::system_error if it cannot be started.
  /// REQUIRES: no running process has that number.
  void start(std::size_t number, const std::vector<std::string>& command);

  std::size_t running() const { return children_.size(); }

  /// The next news; nullopt when `seconds` have passed without any, or nothing runs.
  /// Throws Interrupted.
  std::optional<News> wait(std::optional<double> seconds = {});

  /// Ends all of them at once (SIGKILL).
  void stop();

 private:
  struct Child {
    std::size_t number = 0;
    pid_t pid = -1;
    int out = -1, err = -1;
    std::string received;   // not yet a whole line
    std::string complaint;  // of standard error
  };
  static std::optional<News> next_line(Child& child);
  /// Reads what there is; false at the end.
  static bool read_some(int file, std::string& text);
  News reap(std::size_t index);
  void throw_if_interrupted();

  std::vector<Child> children_;
  void (*child_)(int) = SIG_DFL;  // what SIGCHLD did outside
  sigset_t before_{};             // signals blocked outside
  int signals_ = -1;              // signalfd
};

/// The program that is running, to start it again: it, and not what its path has become meanwhile.
std::string this_program();

}  // namespace lab
