#include "cli/scratch.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "isodrop-scratch-";

/// Without following a link to one.
bool is_own_folder(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

void remove_left(const fs::path& temporary) {
  std::error_code none;  // best effort: they are in nobody's way
  for (const auto& entry : fs::directory_iterator(temporary, none)) {
    if (!entry.path().filename().string().starts_with(kPrefix) || !is_own_folder(entry.path()))
      continue;
    try {
      const base::RunLock lock(entry.path(), "TMPDIR");
      if (lock.held()) fs::remove_all(entry.path(), none);
    } catch (const base::Error&) {
      continue;  // it has gone meanwhile
    }
  }
}

}  // namespace

Scratch::Scratch() {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  base::require(!error, "no folder for temporary files: ", error.message(),
                "; set TMPDIR to one that is there");
  remove_left(temporary);
  // Again if another process took it for one that was left before its lock was held.
  for (bool ours = false; !ours;) {
    std::string name = (temporary / kPrefix).string() + "XXXXXX";
    base::require(mkdtemp(name.data()) != nullptr, "cannot create a folder in ", temporary.string(),
                  ": ", std::strerror(errno), "; set TMPDIR to one that can be written to");
    path_ = name;
    try {
      lock_ = std::make_unique<base::RunLock>(path_, "TMPDIR");
    } catch (const base::Error&) {
      if (fs::exists(path_, error)) throw;
      continue;
    }
    ours = lock_->held() && fs::exists(path_ / "lock", error);
  }
}

Scratch::~Scratch() {
  std::error_code none;
  fs::remove_all(path_, none);
}

}  // namespace cli
