// The one way in which isodrop opens files to read them that others may have made.
#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"

namespace base {

/// A file that is there and cannot be read (no permission, no descriptor left, a disk that fails):
/// nothing is known of what it holds, so nobody may remove it.
struct Unreadable : base::Error {
  using Error::Error;
};
/// A file that is not there, or has gone since somebody saw it.
struct NotThere : base::Error {
  using Error::Error;
};
/// With errno as the reason.
[[noreturn]] void throw_unreadable(const std::filesystem::path& path);

/// Who names a file. kPerson: one by its path, which may be a link or a pipe. kFolder: a folder of
/// ours, so that it is a regular file, though there may be a link to it. kStore: a folder that
/// others write to, too, in which a link leads where they like and is refused. kRun: a folder of
/// such a folder, so that it may be no link either, nor become one while the file is opened.
enum class Whose : std::uint8_t { kPerson, kFolder, kStore, kRun };

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

/// Never waits for a pipe that is none of kPerson's. Throws base::Error naming the path and the
/// reason: no regular file, larger than `max_bytes`; NotThere.
FilePtr open_file(const std::filesystem::path& path, Whose whose,
                  std::int64_t max_bytes = INT64_MAX);
/// The whole of it; the same errors.
std::string read_whole(const std::filesystem::path& path, Whose whose, std::int64_t max_bytes);

/// Throws base::Error where a link is in the place of a folder that only isodrop writes.
void refuse_link(const std::filesystem::path& folder);

}  // namespace base
