#include "lab/runs/worker_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace lab {
namespace {

// A message on the pipe: its kind, the length of its text, the text.
enum class Kind : std::uint8_t { kMessage, kError };
struct Header {
  Kind kind;
  std::uint32_t size;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void send(int pipe, Kind kind, std::string_view text) {
  const Header header{kind, static_cast<std::uint32_t>(text.size())};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += text;
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = write(pipe, bytes.data() + sent, bytes.size() - sent);
    if (n < 0 && errno != EINTR) fail("cannot write to the comparison's pipe");
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
}

std::ptrdiff_t threads_of_this_process() {
  std::error_code unknown;  // without /proc: nothing to count
  return std::distance(std::filesystem::directory_iterator("/proc/self/task", unknown),
                       std::filesystem::directory_iterator());
}

int exit_status(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) fail("cannot wait for a worker process");
  return status;
}

/// Those that ask the program to stop and are not ignored, as under nohup.
sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN)
      sigaddset(&set, number);
  }
  return set;
}

}  // namespace

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

Interrupted::Interrupted(int number)
    : std::runtime_error(fmt::format("stopped by {}", signal_name(number))), signal(number) {}

std::string WorkerEnd::reason() const {
  if (!error.empty()) return error;
  if (signal == SIGKILL)
    return "its process was killed (SIGKILL: by somebody, or by the system when memory is short)";
  if (signal != 0) return fmt::format("its process crashed ({})", signal_name(signal));
  return fmt::format("its process ended with exit code {}", code);
}

WorkerPool::WorkerPool() {
  const sigset_t stop = stop_signals();
  if (sigprocmask(SIG_BLOCK, &stop, &before_) != 0) fail("cannot block signals");
  signals_ = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals_ < 0) {
    sigprocmask(SIG_SETMASK, &before_, nullptr);
    fail("cannot wait for signals");
  }
}

WorkerPool::~WorkerPool() {
  stop();
  close(signals_);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void WorkerPool::stop() {
  for (const Worker& worker : workers_) kill(worker.pid, SIGKILL);
  for (const Worker& worker : workers_) {
    close(worker.pipe);
    exit_status(worker.pid);
  }
  workers_.clear();
}

pid_t WorkerPool::start(std::size_t number, const std::function<void(const Tell&)>& work) {
  if (threads_of_this_process() > 1)
    throw std::logic_error("a worker process is started after threads were");
  int ends[2];
  if (pipe(ends) != 0) fail("cannot create a pipe");
  std::fflush(nullptr);  // or the worker would hold a copy of what is not written yet
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    close(ends[0]);
    work_and_exit(parent, ends[1], work);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    fail("cannot start a process");
  }
  workers_.push_back({number, pid, ends[0], {}, {}});
  return pid;
}

void WorkerPool::work_and_exit(pid_t parent, int pipe,
                               const std::function<void(const Tell&)>& work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it was gone before
  // Ctrl-C reaches every process of the terminal; this one is told by its parent.
  std::signal(SIGINT, SIG_IGN);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  close(signals_);
  for (const Worker& other : workers_) close(other.pipe);
  try {
    work([&](std::string_view text) { send(pipe, Kind::kMessage, text); });
    _exit(0);
  } catch (const std::exception& e) {
    try {
      send(pipe, Kind::kError, e.what());
    } catch (const std::exception&) {
      // Nobody listens; the exit code says as much as can be said.
    }
    _exit(1);
  }
}

void WorkerPool::throw_if_interrupted() {
  signalfd_siginfo info;
  if (read(signals_, &info, sizeof info) != sizeof info) return;
  stop();
  throw Interrupted(static_cast<int>(info.ssi_signo));
}

std::optional<WorkerPool::Event> WorkerPool::next_message(Worker& worker) {
  Header header;
  while (worker.received.size() >= sizeof header) {
    std::memcpy(&header, worker.received.data(), sizeof header);
    if (worker.received.size() < sizeof header + header.size) break;
    std::string text = worker.received.substr(sizeof header, header.size);
    worker.received.erase(0, sizeof header + header.size);
    if (header.kind == Kind::kMessage) return Event{worker.number, std::move(text), {}};
    worker.error = std::move(text);
  }
  return {};
}

WorkerPool::Event WorkerPool::reap(std::size_t index) {
  Worker worker = std::move(workers_[index]);
  workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(index));
  close(worker.pipe);
  const int status = exit_status(worker.pid);
  WorkerEnd end{worker.pid, 0, 0, std::move(worker.error)};
  if (WIFSIGNALED(status))
    end.signal = WTERMSIG(status);
  else
    end.code = WEXITSTATUS(status);
  return {worker.number, {}, std::move(end)};
}

std::optional<WorkerPool::Event> WorkerPool::wait(std::optional<double> seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds.value_or(0));
  for (;;) {
    throw_if_interrupted();
    for (Worker& worker : workers_)
      if (auto message = next_message(worker)) return message;
    if (workers_.empty()) return {};
    std::vector<pollfd> polled = {{signals_, POLLIN, 0}};
    for (const Worker& worker : workers_) polled.push_back({worker.pipe, POLLIN, 0});
    int milliseconds = -1;
    if (seconds) {
      const double left = std::chrono::duration<double>(until - Clock::now()).count();
      milliseconds = std::max(0, static_cast<int>(std::ceil(left * 1e3)));
    }
    const int ready = poll(polled.data(), polled.size(), milliseconds);
    if (ready < 0 && errno != EINTR) fail("cannot wait for worker processes");
    if (ready == 0) return {};
    for (std::size_t i = 0; ready > 0 && i < workers_.size(); ++i) {
      if (polled[i + 1].revents == 0) continue;
      char bytes[1 << 14];
      const ssize_t n = read(workers_[i].pipe, bytes, sizeof bytes);
      if (n < 0 && errno != EINTR) fail("cannot read from a worker process");
      if (n > 0) workers_[i].received.append(bytes, static_cast<std::size_t>(n));
      if (n != 0) continue;
      Event event = reap(i);
      // What ended it may have been meant for all of us: then it is no crash.
      if (event.end->signal != 0) throw_if_interrupted();
      return event;
    }
  }
}

}  // namespace lab
