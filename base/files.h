// Files that are whole or not there: written to a temporary beside the target, then renamed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/open_file.h"

namespace base {

/// Collects a file's bytes; commit() makes them the file at `path`, all at once. Without commit()
/// the old file, if any, stays as it was. The temporary is locked while it is written, so that one
/// that is not is a killed process's. Throws base::Error naming the path and the reason
/// (folder missing, not writable, disk full, a device or pipe).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Lets others see in the temporary what is written so far. What a full disk has no room for
  /// waits for the next flush or the commit.
  void flush();
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  std::filesystem::path path_, temporary_;
  std::string waiting_;
  int file_ = -1;
};

/// What is in a folder, in no order; nothing where there is none. Throws Unreadable.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// Whether the name has this ending (".gz"), in capitals too.
bool has_ending(std::string_view name, std::string_view ending);

/// Removes from a folder the temporaries of AtomicFiles whose process was killed, those of files
/// whose name begins so. What a process is writing, wherever it runs, stays.
void remove_temporaries(const std::filesystem::path& folder, std::string_view name = {});

void write_atomically(const std::filesystem::path& path, std::string_view text);
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);
/// Reads and parses; throws base::Error naming the path and what is wrong with it.
nlohmann::ordered_json read_json(const std::filesystem::path& path, Whose whose = Whose::kFolder);

/// Hands a file's bytes to `part`, piece by piece, also from a pipe where a person names it. Throws
/// base::Error where there is no such file (with `if_missing` as the way out), it is a folder or a
/// device, or cannot be read.
void read_parts(const std::string& path, const std::function<void(std::string_view)>& part,
                std::string_view if_missing = "check the path", Whose whose = Whose::kPerson);
/// The whole of it; the same errors, and one where it is larger than `max_bytes` or than memory.
std::string read_file(const std::string& path, std::int64_t max_bytes,
                      std::string_view if_missing = "check the path", Whose whose = Whose::kPerson);

/// Creates `path` and its parents, and clears it of temporaries of processes that were killed;
/// throws base::Error where that cannot be, or where it is there and cannot be written to.
void make_folder(const std::filesystem::path& path);

/// A file that grows with every write, flushed as it comes. What a full disk has no room for is
/// kept and written with a later line. Throws as AtomicFile does for all else.
class LineFile {
 public:
  /// Begins it anew, or with `append` goes on with what is there. `note` is told when the disk is
  /// full, and when what is missing is written.
  explicit LineFile(const std::filesystem::path& path, bool append = false,
                    std::function<void(const std::string&)> note = {});
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  void write(std::string_view text);

 private:
  std::filesystem::path path_;
  std::function<void(const std::string&)> note_;
  std::string waiting_;
  int file_ = -1;
};

}  // namespace base
