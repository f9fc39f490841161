// What a process needs before and beside its work: standard files that are its own, threads that
// wait politely, and signals that let a step end first.
#pragma once
#include <atomic>
#include <csignal>
#include <thread>

namespace cli {

/// Opens /dev/null on those of the descriptors 0, 1 and 2 that are closed, so that no file of a run
/// becomes one of them; ignores SIGPIPE and SIGXFSZ, whose writes fail with EPIPE and EFBIG then;
/// and gives `stdout` and `stderr` what follows. Standard output that nobody reads any more takes
/// everything; standard error that cannot be written to, a full disk included, does so too: output
/// that is lost ends no run. To be called once, before the first write.
void prepare_standard_files();

/// From now on a write to standard output that nobody reads ends the process, as it does for most
/// programs: for a process that works for its reader alone.
void end_without_reader();

/// OpenMP's idle threads spin for milliseconds by default, which starves everything else on the
/// cores, themselves included: with a busy neighbour a step takes many times as long. libgomp has
/// no call for it and reads its environment in a constructor, before main() and before anything of
/// this program runs with an environment to change (even .preinit_array comes before libc has
/// one). So this sets a short spin and starts the program again, once, in the same process: the
/// variables it sets are then there, for the programs it starts too. It does nothing where the user
/// has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME). For main() alone, first thing.
void wait_politely(char** argv);

/// Hears SIGINT, SIGTERM and SIGHUP, but those that this process was started to ignore, on a thread
/// of its own. Until hold() they end the process as ever. From then on the first one is kept for
/// anyone who asks, and the second ends it at once.
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
