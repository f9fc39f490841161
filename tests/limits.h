// Limits of this process that last as long as a test's object.
#pragma once
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace tests {

class Limit {
 public:
  Limit(__rlimit_resource what, rlim_t most) : what_(what) {
    getrlimit(what_, &before_);
    rlimit now = before_;
    now.rlim_cur = most;
    setrlimit(what_, &now);
  }
  ~Limit() { setrlimit(what_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  __rlimit_resource what_;
  rlimit before_{};
};

/// No file grows beyond so many bytes, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : bytes_(RLIMIT_FSIZE, bytes) {}
  ~FullDisk() { signal(SIGXFSZ, before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*before_)(int) = signal(SIGXFSZ, SIG_IGN);
  Limit bytes_;
};

/// Nothing more can be opened.
class NoDescriptors : public Limit {
 public:
  NoDescriptors() : Limit(RLIMIT_NOFILE, lowest_free()) {}

 private:
  static rlim_t lowest_free() {
    const int next = dup(STDIN_FILENO);
    close(next);
    return static_cast<rlim_t>(next);
  }
};

}  // namespace tests
