#include "base/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/error.h"

namespace base {
namespace fs = std::filesystem;
using base::require;

namespace {

void require_within(const fs::path& path, std::int64_t bytes, std::int64_t max_bytes) {
  require(bytes <= max_bytes, path.string(), ": is larger than ", max_bytes,
          " bytes, which no such file is; remove it or choose another folder");
}

[[noreturn]] void fail(const fs::path& path, const char* way_out) {
  const int code = errno;
  const std::string what =
      base::concat("cannot read ", path.string(), ": ", std::strerror(code), "; ", way_out);
  if (code == ENOENT || code == ENOTDIR) throw NotThere(what);
  throw Unreadable(what);
}

/// The descriptor of a file whose folder is no link: what the folder is now called does not count.
int open_inside(const fs::path& path, int flags) {
  const int folder =
      open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) {
    const int code = errno;  // the same of a link and of a file
    refuse_link(path.parent_path());
    errno = code;
    return -1;
  }
  const int file = openat(folder, path.filename().c_str(), flags);
  const int code = errno;
  close(folder);
  errno = code;
  return file;
}

}  // namespace

void throw_unreadable(const fs::path& path) {
  throw Unreadable(base::concat("cannot read ", path.string(), ": ", std::strerror(errno),
                                "; check its permissions and the disk"));
}

FilePtr open_file(const fs::path& path, Whose whose, std::int64_t max_bytes) {
  int flags = O_RDONLY | O_CLOEXEC;
  if (whose != Whose::kPerson) flags |= O_NONBLOCK;  // or a pipe would wait for its writer
  const bool links = whose == Whose::kPerson || whose == Whose::kFolder;
  if (!links) flags |= O_NOFOLLOW;
  const int descriptor =
      whose == Whose::kRun ? open_inside(path, flags) : open(path.c_str(), flags);
  if (descriptor < 0) {
    require(errno != ELOOP || links, path.string(),
            ": is a link, and may lead anywhere; replace it by the file that it leads to");
    fail(path, "check the path");
  }
  FilePtr file(fdopen(descriptor, "rb"));
  if (file == nullptr) fail(path, "check the path");
  struct stat status {};
  if (fstat(descriptor, &status) != 0) fail(path, "check the disk");
  require(!S_ISDIR(status.st_mode), path.string(), ": is a folder; give the file inside it");
  require(S_ISREG(status.st_mode) || (S_ISFIFO(status.st_mode) && whose == Whose::kPerson),
          path.string(), ": is a pipe, device or socket, not a file; put a file in its place");
  require_within(path, status.st_size, max_bytes);
  return file;
}

std::string read_whole(const fs::path& path, Whose whose, std::int64_t max_bytes) {
  const FilePtr file = open_file(path, whose, max_bytes);
  std::string text;
  std::array<char, std::size_t{1} << 16> chunk;
  // To the end rather than the size that the folder tells: it may grow, and a pipe has none.
  for (std::size_t got = 1; got > 0;) {
    errno = 0;
    got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    if (std::ferror(file.get()) != 0) fail(path, "check the disk");
    require_within(path, static_cast<std::int64_t>(text.size() + got), max_bytes);
    try {
      text.append(chunk.data(), got);
    } catch (const std::bad_alloc&) {
      throw base::Error(path.string() + ": does not fit in memory; give a smaller file");
    }
  }
  return text;
}

void refuse_link(const fs::path& folder) {
  std::error_code none;  // what is not there is no link
  require(!fs::is_symlink(fs::symlink_status(folder, none)), folder.string(),
          ": is a link, and would have isodrop change files elsewhere; put a folder in its place");
}

}  // namespace base
