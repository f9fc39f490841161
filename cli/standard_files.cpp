#include "cli/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

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

}  // namespace cli
