#include "lab/runs/processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <system_error>

namespace lab {
namespace {

constexpr std::size_t kMostComplaint = 4096;  // bytes that are kept of standard error

[[noreturn]] void fail(const char* what, int code = errno) {
  throw std::system_error(code, std::generic_category(), what);
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

int exit_status(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) fail("cannot wait for a process");
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

/// Both ends closed in processes that are started later.
std::pair<int, int> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("cannot create a pipe");
  return {ends[0], ends[1]};
}

}  // namespace

Interrupted::Interrupted(int number)
    : std::runtime_error(fmt::format("stopped by {}", signal_name(number))), signal(number) {}

std::string Ending::reason() const {
  if (signal == SIGKILL)
    return "its process was killed (SIGKILL: by somebody, or by the system when memory is short)";
  if (signal != 0) return fmt::format("its process crashed ({})", signal_name(signal));
  // The last line, without what every error begins with.
  std::string text = complaint.substr(0, complaint.find_last_not_of('\n') + 1);
  text.erase(0, text.rfind('\n') + 1);
  constexpr std::string_view kPrefix = "isodrop: error: ";
  if (text.starts_with(kPrefix)) text.erase(0, kPrefix.size());
  return text.empty() ? fmt::format("its process ended with exit code {}", code) : text;
}

Processes::Processes() {
  // If our parent ignores it, the ends of our own processes would be lost.
  child_ = std::signal(SIGCHLD, SIG_DFL);
  const sigset_t stop = stop_signals();
  if (sigprocmask(SIG_BLOCK, &stop, &before_) != 0) fail("cannot block signals");
  signals_ = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals_ >= 0) return;
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  fail("cannot wait for signals");
}

Processes::~Processes() {
  stop();
  close(signals_);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  std::signal(SIGCHLD, child_);
}

void Processes::stop() {
  for (const Child& child : children_) kill(child.pid, SIGKILL);
  for (const Child& child : children_) {
    close(child.out);
    close(child.err);
    exit_status(child.pid);
  }
  children_.clear();
}

void Processes::start(std::size_t number, const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const auto [out, out_end] = make_pipe();
  const auto [err, err_end] = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_end, 1);
  posix_spawn_file_actions_adddup2(&actions, err_end, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &before_);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(out_end);
  close(err_end);
  if (code != 0) {
    close(out);
    close(err);
    fail("cannot start a process", code);
  }
  children_.push_back({number, pid, out, err, {}, {}});
}

void Processes::throw_if_interrupted() {
  signalfd_siginfo info;
  if (read(signals_, &info, sizeof info) != sizeof info) return;
  stop();
  throw Interrupted(static_cast<int>(info.ssi_signo));
}

std::optional<Processes::News> Processes::next_line(Child& child) {
  const std::size_t end = child.received.find('\n');
  if (end == std::string::npos) return {};
  News news{child.number, child.received.substr(0, end), {}};
  child.received.erase(0, end + 1);
  return news;
}

bool Processes::read_some(int file, std::string& text) {
  char bytes[1 << 14];
  const ssize_t n = read(file, bytes, sizeof bytes);
  if (n < 0 && errno != EINTR) fail("cannot read from a process");
  if (n > 0) text.append(bytes, static_cast<std::size_t>(n));
  return n != 0;
}

Processes::News Processes::reap(std::size_t index) {
  Child child = std::move(children_[index]);
  children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(index));
  const int status = exit_status(child.pid);
  while (read_some(child.err, child.complaint)) continue;
  close(child.out);
  close(child.err);
  Ending end;
  end.complaint = std::move(child.complaint);
  if (WIFSIGNALED(status))
    end.signal = WTERMSIG(status);
  else
    end.code = WEXITSTATUS(status);
  return {child.number, {}, std::move(end)};
}

std::optional<Processes::News> Processes::wait(std::optional<double> seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds.value_or(0));
  for (;;) {
    throw_if_interrupted();
    for (Child& child : children_)
      if (auto line = next_line(child)) return line;
    if (children_.empty()) return {};
    std::vector<pollfd> polled = {{signals_, POLLIN, 0}};
    for (const Child& child : children_) {
      polled.push_back({child.out, POLLIN, 0});
      polled.push_back({child.err, POLLIN, 0});
    }
    int milliseconds = -1;
    if (seconds) {
      const double left = std::chrono::duration<double>(until - Clock::now()).count();
      milliseconds = std::max(0, static_cast<int>(std::ceil(left * 1e3)));
    }
    const int ready = poll(polled.data(), polled.size(), milliseconds);
    if (ready < 0 && errno != EINTR) fail("cannot wait for processes");
    if (ready == 0) return {};
    for (std::size_t i = 0; ready > 0 && i < children_.size(); ++i) {
      Child& child = children_[i];
      // Once closed, standard error polls as ready for good: it is read with the rest at the end.
      if ((polled[2 * i + 2].revents & POLLIN) != 0) {
        read_some(child.err, child.complaint);
        if (child.complaint.size() > kMostComplaint)
          child.complaint.erase(0, child.complaint.size() - kMostComplaint);
      }
      if (polled[2 * i + 1].revents == 0 || read_some(child.out, child.received)) continue;
      News news = reap(i);
      // What ended it may have been meant for all of us: then it is no crash.
      if (news.end->signal != 0) throw_if_interrupted();
      return news;
    }
  }
}

std::string this_program() { return "/proc/self/exe"; }

}  // namespace lab
