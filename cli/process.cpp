#include "cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <system_error>

namespace cli {
namespace {

void open_if_closed(int descriptor) {
  if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) return;
  // The lowest that is free: those below are open by now.
  if (::open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY) != descriptor)
    _exit(2);  // there is nowhere to say so
}

/// Writes all of it. What cannot be written is lost where it may be: the rest counts as written.
ssize_t write_all(int descriptor, const char* bytes, std::size_t count, bool (*may_be_lost)(int)) {
  for (std::size_t done = 0; done < count;) {
    const ssize_t n = ::write(descriptor, bytes + done, count - done);
    if (n >= 0)
      done += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      return may_be_lost(errno) ? static_cast<ssize_t>(count) : static_cast<ssize_t>(done);
  }
  return static_cast<ssize_t>(count);
}

ssize_t write_output(void*, const char* bytes, std::size_t count) {
  return write_all(STDOUT_FILENO, bytes, count, [](int code) { return code == EPIPE; });
}

ssize_t write_errors(void*, const char* bytes, std::size_t count) {
  return write_all(STDERR_FILENO, bytes, count, [](int) { return true; });
}

std::FILE* make_stream(ssize_t (*writes)(void*, const char*, std::size_t), int mode) {
  std::FILE* file = fopencookie(nullptr, "w", {nullptr, writes, nullptr, nullptr});
  if (file == nullptr || std::setvbuf(file, nullptr, mode, BUFSIZ) != 0) std::abort();  // no memory
  return file;
}

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

void prepare_standard_files() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    open_if_closed(descriptor);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  stdout = make_stream(write_output, isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF);
  stderr = make_stream(write_errors, _IONBF);
}

void end_without_reader() { std::signal(SIGPIPE, SIG_DFL); }

void wait_politely(char** argv) {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"})
    if (std::getenv(name) != nullptr) return;
  // 25 to 45 µs of spinning: longer than the gap between two loops of a step, far shorter than the
  // slice a neighbour gets. Measured with benchmarks/peers/scaling.py: beside a busy core a step of
  // nano takes 2.1 to 2.2 times as long, 2.4 with 2000, 4.2 with 10000; alone, 2 to 4 % longer than
  // with 10000.
  if (setenv("GOMP_SPINCOUNT", "1000", 1) != 0 || setenv("KMP_BLOCKTIME", "0", 1) != 0) return;
  execv("/proc/self/exe", argv);  // on failure: goes on as it is, only less politely
}

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
