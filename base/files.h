// Writing files that are whole or not there, files that grow by lines, and the lock of a run's
// folder.
#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/open_file.h"

namespace base {

/// Writes a locked temporary beside `path`, which commit() renames; without commit() an old file
/// stays as it was. A temporary without a lock was left by a killed process. Throws Error naming
/// the path and the reason (folder missing, not writable, disk full, a device or pipe).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Shows in the temporary what is written so far. What a full disk has no room for waits for the
  /// next flush or the commit.
  void flush();
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  std::filesystem::path path_, temporary_;
  std::string waiting_;
  int file_ = -1;
};

/// Removes temporaries of killed processes from a folder, those of files whose name begins with
/// `name`.
void remove_temporaries(const std::filesystem::path& folder, std::string_view name = {});

void write_atomically(const std::filesystem::path& path, std::string_view text);
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);

/// Creates `path` and its parents and removes leftover temporaries. Throws Error if that fails or
/// the folder cannot be written to.
void make_folder(const std::filesystem::path& path);

/// A file that grows with every write, flushed at once. What a full disk has no room for is kept
/// and written with a later line; any other failure throws as AtomicFile does.
class LineFile {
 public:
  /// Replaces an old file, or appends to it. `note` is told when the disk is full, and when the
  /// missing lines are written.
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

/// The right to write into a run's folder: flock on its file `lock`, released at the end of this
/// object or of the process.
class RunLock {
 public:
  /// Takes the lock if it is free. Throws Error if the folder cannot be written to; `flag` is the
  /// one that chooses another folder.
  explicit RunLock(const std::filesystem::path& folder, std::string flag = "--store");
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  bool held() const { return held_; }
  /// Waits for the process that holds it.
  void wait();

 private:
  void take(int how);
  std::filesystem::path path_;
  std::string flag_;
  int file_ = -1;
  bool held_ = false;
};

}  // namespace base
