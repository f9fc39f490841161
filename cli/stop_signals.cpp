#include "cli/stop_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace cli {
namespace {

/// As the signal would have without us, so that a shell's loop stops, too.
[[noreturn]] void end_by(int number) {
  std::signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  std::raise(number);
  std::_Exit(128 + number);
}

}  // namespace

StopSignals::StopSignals(bool tells) : tells_(tells) {
  sigemptyset(&heard_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (sigaction(number, nullptr, &now) == 0 && now.sa_handler != SIG_IGN)
      sigaddset(&heard_, number);
  }
  pthread_sigmask(SIG_BLOCK, &heard_, &before_);
  signals_ = signalfd(-1, &heard_, SFD_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || end_ < 0)
    throw std::system_error(errno, std::generic_category(), "waiting for signals");
  thread_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  if (write(end_, &one, sizeof one) != sizeof one) std::abort();  // an eventfd takes it
  thread_.join();
  close(signals_);
  close(end_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void StopSignals::watch() {
  for (;;) {
    pollfd files[] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
    if (poll(files, 2, -1) < 0) continue;  // EINTR
    if ((files[0].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      if (read(signals_, &info, sizeof info) != sizeof info) continue;
      const auto number = static_cast<int>(info.ssi_signo);
      if (!held_ || signal_ != 0) end_by(number);
      signal_ = number;
      if (tells_)
        std::fputs("\nisodrop: stopping after this step; once more stops at once\n", stderr);
    }
    if ((files[1].revents & POLLIN) != 0) return;
  }
}

}  // namespace cli
