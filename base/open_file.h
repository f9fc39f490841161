// Reading files. Nothing that others may have made is read in another way.
#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace base {

/// A file that exists and cannot be read (permissions, no descriptor left, a failing disk). Nobody
/// may remove it: nothing is known of what it holds.
struct Unreadable : Error {
  using Error::Error;
};
/// A file that is not there, or has gone since somebody saw it.
struct NotThere : Error {
  using Error::Error;
};
/// With errno as the reason.
[[noreturn]] void throw_unreadable(const std::filesystem::path& path);

/// Who names a file. kPerson: a user's path, which may be a link or a pipe. kFolder: a file in our
/// own folder, regular, perhaps through a link. kStore: a file in a folder that others write to as
/// well, where links are refused because they may lead anywhere. kRun: a file in a folder of such a
/// folder, which must not be a link either, nor become one while the file is opened.
enum class Whose : std::uint8_t { kPerson, kFolder, kStore, kRun };

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

/// Waits for a pipe only if it is kPerson's. Throws Error naming the path and the reason: not a
/// regular file, larger than `max_bytes`; NotThere.
FilePtr open_file(const std::filesystem::path& path, Whose whose,
                  std::int64_t max_bytes = INT64_MAX);
/// The whole file; the same errors.
std::string read_whole(const std::filesystem::path& path, Whose whose, std::int64_t max_bytes);
/// Parses it as well; throws Error naming the path and what is wrong.
nlohmann::ordered_json read_json(const std::filesystem::path& path, Whose whose = Whose::kFolder);

/// Hands a user's file or pipe to `part`, piece by piece. Throws Error if it is missing
/// (`if_missing` says what to do), a folder or a device, or cannot be read.
void read_parts(const std::string& path, const std::function<void(std::string_view)>& part,
                std::string_view if_missing = "check the path", Whose whose = Whose::kPerson);
/// The whole of it; the same errors, and one if it is larger than `max_bytes` or than memory.
std::string read_file(const std::string& path, std::int64_t max_bytes,
                      std::string_view if_missing = "check the path", Whose whose = Whose::kPerson);

/// Paths in a folder, unordered; none if it does not exist. Throws Unreadable.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// Whether the name has this ending (".gz"), in any case.
bool has_ending(std::string_view name, std::string_view ending);

/// Throws Error if a link stands in the place of a folder that only isodrop writes.
void refuse_link(const std::filesystem::path& folder);

}  // namespace base
