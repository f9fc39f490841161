#include "train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace train {

RunLock::RunLock(const std::filesystem::path& folder, std::string flag)
    : path_(folder / "lock"), flag_(std::move(flag)) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  engine::require(file_ >= 0, "cannot write ", path_.string(), ": ", std::strerror(errno),
                  "; choose another ", flag_);
  take(LOCK_EX | LOCK_NB);
}

void RunLock::wait() { take(LOCK_EX); }

void RunLock::take(int how) {
  int result = 0;
  do {
    result = flock(file_, how);
  } while (result != 0 && errno == EINTR);
  held_ = result == 0;
  engine::require(held_ || errno == EWOULDBLOCK, "cannot lock ", path_.string(), ": ",
                  std::strerror(errno), "; choose a ", flag_, " on a file system with locks");
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace train
