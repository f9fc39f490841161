#include "base/open_file.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/json.h"

namespace base {
namespace fs = std::filesystem;

namespace {

void require_within(const fs::path& path, std::int64_t bytes, std::int64_t max_bytes) {
  require(bytes <= max_bytes, path.string(), ": is larger than ", max_bytes,
          " bytes, too large for such a file; remove it or choose another folder");
}

[[noreturn]] void fail(const fs::path& path, const char* way_out) {
  const int code = errno;
  const std::string what =
      concat("cannot read ", path.string(), ": ", std::strerror(code), "; ", way_out);
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

/// Hands the file's bytes to `part` up to its end, whatever its size was: it may grow, and a pipe
/// has none. Returns false if that fails, with errno.
template <class Part>
bool read_to_end(std::FILE* file, const Part& part) {
  std::array<char, std::size_t{1} << 16> chunk;
  for (std::size_t got = 1; got > 0;) {
    errno = 0;
    got = std::fread(chunk.data(), 1, chunk.size(), file);
    if (std::ferror(file) != 0) return false;
    if (got > 0) part(std::string_view(chunk.data(), got));
  }
  return true;
}

}  // namespace

void throw_unreadable(const fs::path& path) {
  throw Unreadable(concat("cannot read ", path.string(), ": ", std::strerror(errno),
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
            ": is a link and may lead anywhere; replace it by the file it leads to");
    fail(path, "check the path");
  }
  FilePtr file(fdopen(descriptor, "rb"));
  if (file == nullptr) fail(path, "check the path");
  struct stat status {};
  if (fstat(descriptor, &status) != 0) fail(path, "check the disk");
  require(!S_ISDIR(status.st_mode), path.string(), ": is a folder; give the file inside it");
  require(S_ISREG(status.st_mode) || (S_ISFIFO(status.st_mode) && whose == Whose::kPerson),
          path.string(), ": is a pipe, device or socket; replace it by a file");
  require_within(path, status.st_size, max_bytes);
  return file;
}

std::string read_whole(const fs::path& path, Whose whose, std::int64_t max_bytes) {
  const FilePtr file = open_file(path, whose, max_bytes);
  std::string text;
  const bool whole = read_to_end(file.get(), [&](std::string_view part) {
    require_within(path, static_cast<std::int64_t>(text.size() + part.size()), max_bytes);
    try {
      text.append(part);
    } catch (const std::bad_alloc&) {
      throw Error(path.string() + ": does not fit in memory; give a smaller file");
    }
  });
  if (!whole) fail(path, "check the disk");
  return text;
}

Json read_json(const fs::path& path, Whose whose) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;  // of a report of 100,000 runs
  return parse_json(read_whole(path, whose, kMostBytes), path.string(),
                    "remove it or choose another folder");
}

void read_parts(const std::string& path, const std::function<void(std::string_view)>& part,
                std::string_view if_missing, Whose whose) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require(status.type() != fs::file_type::not_found, "no such file: '", path, "'; ", if_missing);
  require(!error, "cannot open '", path, "': ", error.message());
  require(status.type() != fs::file_type::directory, "'", path,
          "' is a folder; give a file inside it");
  const bool pipe = status.type() == fs::file_type::fifo;
  require(status.type() == fs::file_type::regular || (pipe && whose == Whose::kPerson), "'", path,
          "' is a ", pipe ? "pipe, and nobody may ever write to it" : "device or socket",
          "; give a file");
  const FilePtr file =
      whose == Whose::kPerson ? FilePtr(std::fopen(path.c_str(), "rb")) : open_file(path, whose);
  require(file != nullptr, "cannot open '", path, "': ", std::strerror(errno),
          "; check its permissions");
  require(read_to_end(file.get(), part), "cannot read '", path, "': ", std::strerror(errno));
}

std::string read_file(const std::string& path, std::int64_t max_bytes, std::string_view if_missing,
                      Whose whose) {
  std::string text;
  read_parts(
      path,
      [&](std::string_view part) {
        require(static_cast<std::int64_t>(text.size() + part.size()) <= max_bytes, "'", path,
                "' is larger than ", max_bytes, " bytes; give a part of it (head -c ", max_bytes,
                ")");
        try {
          text.append(part);
        } catch (const std::bad_alloc&) {
          throw Error(concat("'", path, "' does not fit in memory; give a part of it"));
        }
      },
      if_missing, whose);
  return text;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    files.push_back(at->path());
  errno = code.value();
  // What cannot be a folder has no entries; writing there reports the error.
  const bool none = code == std::errc::no_such_file_or_directory ||
                    code == std::errc::not_a_directory || code == std::errc::filename_too_long;
  if (code && !none) throw_unreadable(folder);
  return files;
}

bool has_ending(std::string_view name, std::string_view ending) {
  return name.size() > ending.size() &&
         strncasecmp(name.data() + name.size() - ending.size(), ending.data(), ending.size()) == 0;
}

void refuse_link(const fs::path& folder) {
  std::error_code none;  // what is not there is no link
  require(!fs::is_symlink(fs::symlink_status(folder, none)), folder.string(),
          ": is a link, so isodrop would change files elsewhere; replace it by a folder");
}

}  // namespace base
