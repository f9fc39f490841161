#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "base/json.h"

namespace base {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kAtOnce = std::size_t{1} << 20;     // bytes that wait before they are written
constexpr std::size_t kMostKept = std::size_t{64} << 20;  // that wait for a disk to have room

bool disk_full(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

[[noreturn]] void fail_with_errno(const fs::path& path, const char* what,
                                  const char* way_out = "choose another folder") {
  const int code = errno;
  throw Error(concat(what, " ", path.string(), ": ", std::strerror(code), "; ",
                     code == EFBIG     ? "raise the limit of file sizes (ulimit -f)"
                     : disk_full(code) ? "free some space or choose another folder"
                                       : way_out));
}

/// Writes what it can and takes it off `bytes`. Returns the errno that stopped it, or 0.
int write_some(int file, std::string_view& bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}
int write_some(int file, std::string& bytes) {
  std::string_view left = bytes;
  const int code = write_some(file, left);
  bytes.erase(0, bytes.size() - left.size());
  return code;
}

/// Of no other process, here or on another machine.
std::string temporary_suffix() {
  return concat('.', getpid(), '-', std::hex, std::random_device{}(), ".tmp");
}

/// Whether it ends as temporary_suffix() does.
bool is_temporary(std::string_view name) {
  constexpr std::string_view kEnd = ".tmp", kDigits = "0123456789";
  if (!name.ends_with(kEnd)) return false;
  name.remove_suffix(kEnd.size());
  const std::size_t hex = name.find_last_not_of("0123456789abcdef");
  if (hex == name.npos || name[hex] != '-' || hex + 1 == name.size()) return false;
  const std::size_t dot = name.substr(0, hex).find_last_not_of(kDigits);
  return dot != name.npos && dot > 0 && name[dot] == '.' && dot + 1 < hex;
}

/// Waits for a process that checks whether it is a leftover. Some file systems have no locks.
void lock(int file) {
  while (flock(file, LOCK_EX) != 0 && errno == EINTR) continue;
}
}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  std::error_code code;  // what cannot be looked at cannot be written either, and that says why
  const fs::file_type type = fs::status(path_, code).type();
  require(type != fs::file_type::character && type != fs::file_type::block &&
              type != fs::file_type::fifo && type != fs::file_type::socket,
          "cannot write ", path_.string(),
          ": is a device, pipe or socket; give the "
          "path of a file");
  for (bool ours = false; !ours;) {  // till nobody has taken it for a leftover before it is locked
    if (file_ >= 0) close(file_);
    temporary_ = path_.string() + temporary_suffix();
    file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ < 0) fail("cannot write");
    lock(file_);
    struct stat status {};
    if (fstat(file_, &status) != 0) fail("cannot write");
    ours = status.st_nlink > 0;
  }
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  close(file_);
  std::error_code ignored;  // best effort: the target is untouched either way
  fs::remove(temporary_, ignored);
}

void AtomicFile::fail(const char* what) const { fail_with_errno(path_, what); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (waiting_.size() + text.size() <= kAtOnce) {
    waiting_.append(text);
    return;
  }
  int code = write_some(file_, waiting_);
  if (code == 0) code = write_some(file_, text);
  if (code == 0) return;
  waiting_.append(text);  // so that no commit leaves it out
  errno = code;
  fail("cannot write");
}

void AtomicFile::flush() {
  if ((errno = write_some(file_, waiting_)) != 0 && !disk_full(errno)) fail("cannot write");
}

void AtomicFile::commit() {
  if ((errno = write_some(file_, waiting_)) != 0 || fsync(file_) != 0) fail("cannot write");
  // Renamed before close(), which ends the lock. fsync() has reported write errors.
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot replace");
  if (close(std::exchange(file_, -1)) != 0) fail("cannot write");
}

void remove_temporaries(const fs::path& folder, std::string_view name) {
  std::error_code ignored;  // best effort: they are in nobody's way
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string left = entry.path().filename().string();
    if (!left.starts_with(name) || !is_temporary(left)) continue;
    const int file = open(entry.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) continue;
    struct stat status {};
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && flock(file, LOCK_EX | LOCK_NB) == 0)
      fs::remove(entry.path(), ignored);
    close(file);
  }
}

void write_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_json(const fs::path& path, const Json& json) { write_atomically(path, json_text(json)); }

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw Error(concat("cannot create the folder ", path.string(), ": ",
                       code ? code.message() : "a file of that name is there",
                       "; choose another folder"));
  if (access(path.c_str(), W_OK | X_OK) != 0) fail_with_errno(path, "cannot write to the folder");
  remove_temporaries(path);
}

LineFile::LineFile(const fs::path& path, bool append, std::function<void(const std::string&)> note)
    : path_(path),
      note_(std::move(note)),
      file_(open(path.c_str(),
                 O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (append ? O_APPEND : O_TRUNC),
                 0666)) {
  require(file_ >= 0 || errno != ELOOP, path.string(),
          ": is a link and may lead anywhere; remove it");
  if (file_ < 0) fail_with_errno(path_, "cannot write");
}

LineFile::~LineFile() {
  if (write_some(file_, waiting_) != 0 && note_)
    note_(concat(path_.string(), ": the last ", waiting_.size(),
                 " bytes could not be written and are lost"));
  close(file_);
}

void LineFile::write(std::string_view text) {
  const bool waited = !waiting_.empty();
  waiting_.append(text);
  const int code = write_some(file_, waiting_);
  if (code == 0) {
    if (waited && note_) note_(concat(path_.string(), ": complete again"));
    return;
  }
  if (!disk_full(code) || waiting_.size() > kMostKept) {
    errno = code;
    fail_with_errno(path_, "cannot write");
  }
  if (!waited && note_)
    note_(concat("cannot write ", path_.string(), ": ", std::strerror(code),
                 "; the run continues, and writes what is missing when there is room"));
}

RunLock::RunLock(const std::filesystem::path& folder, std::string flag)
    : path_(folder / "lock"), flag_(std::move(flag)) {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  require(file_ >= 0 || errno != ELOOP, path_.string(),
          ": is a link and may lead anywhere; remove it");
  require(file_ >= 0, "cannot write ", path_.string(), ": ", std::strerror(errno),
          "; choose another ", flag_);
  struct stat status {};
  const bool regular = fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) close(file_);  // there is no destructor yet
  require(regular, path_.string(), ": is not a regular file; remove it");
  take(LOCK_EX | LOCK_NB);
}

void RunLock::wait() { take(LOCK_EX); }

void RunLock::take(int how) {
  int result = 0;
  do {
    result = flock(file_, how);
  } while (result != 0 && errno == EINTR);
  held_ = result == 0;
  require(held_ || errno == EWOULDBLOCK, "cannot lock ", path_.string(), ": ", std::strerror(errno),
          "; choose a ", flag_, " on a file system with locks");
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace base
