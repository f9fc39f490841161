#include "base/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace base {

RunLock::RunLock(const std::filesystem::path& folder, std::string flag)
    : path_(folder / "lock"), flag_(std::move(flag)) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  base::require(file_ >= 0 || errno != ELOOP, path_.string(),
                ": is a link, and may lead anywhere; remove it");
  base::require(file_ >= 0, "cannot write ", path_.string(), ": ", std::strerror(errno),
                "; choose another ", flag_);
  struct stat status {};
  const bool regular = fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) close(file_);  // there is no destructor yet
  base::require(regular, path_.string(), ": is no regular file; remove it");
  take(LOCK_EX | LOCK_NB);
}

void RunLock::wait() { take(LOCK_EX); }

void RunLock::take(int how) {
  int result = 0;
  do {
    result = flock(file_, how);
  } while (result != 0 && errno == EINTR);
  held_ = result == 0;
  base::require(held_ || errno == EWOULDBLOCK, "cannot lock ", path_.string(), ": ",
                std::strerror(errno), "; choose a ", flag_, " on a file system with locks");
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace base
