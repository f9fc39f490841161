// The signals that mean "stop", for a command that ends a step and keeps its work first.
#pragma once
#include <atomic>
#include <csignal>
#include <thread>

namespace cli {

/// Hears SIGINT, SIGTERM and SIGHUP, but those that this process was started to ignore, on a thread
/// of its own. Until hold() they end the process as ever. From then on the first one is kept for
/// whoever asks, and the second ends it at once.
class StopSignals {
 public:
  /// `tells`: says on standard error that it has heard the first one.
  /// REQUIRES: no other thread has been started, which would not leave the signals to this.
  explicit StopSignals(bool tells = true);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void hold() { held_ = true; }
  /// The one that has come; 0: none.
  int signal() const { return signal_; }

 private:
  void watch();

  bool tells_;
  sigset_t heard_{}, before_{};
  int signals_ = -1, end_ = -1;  // signalfd; eventfd
  std::atomic<bool> held_ = false;
  std::atomic<int> signal_ = 0;
  std::thread thread_;
};

}  // namespace cli
