// Files that are whole or not there: written to a temporary beside the target, then renamed.
#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace train {

/// Collects a file's bytes; commit() makes them the file at `path`, all at once. Without commit()
/// the old file, if any, stays as it was. Throws engine::Error naming the path and the reason
/// (folder missing, not writable, disk full, a device or pipe).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Lets others see in the temporary what is written so far.
  void flush();
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  std::filesystem::path path_, temporary_;
  std::FILE* file_ = nullptr;
};

/// Whether the name has this ending (".gz"), in capitals too.
bool has_ending(std::string_view name, std::string_view ending);

/// Removes from a folder what AtomicFiles whose name begins so have left behind in processes that
/// were killed. REQUIRES: nobody else is writing such a file.
void remove_temporaries(const std::filesystem::path& folder, std::string_view name);

void write_atomically(const std::filesystem::path& path, std::string_view text);
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);
/// Reads and parses; throws engine::Error naming the path and what is wrong with it.
nlohmann::ordered_json read_json(const std::filesystem::path& path);

/// Hands a file's bytes to `part`, piece by piece, also from a pipe. Throws engine::Error where
/// there is no such file (with `if_missing` as the way out), it is a folder or a device, or cannot
/// be read.
void read_parts(const std::string& path, const std::function<void(std::string_view)>& part,
                std::string_view if_missing = "check the path");
/// The whole of it; the same errors, and one where it is larger than `max_bytes` or than memory.
std::string read_file(const std::string& path, std::int64_t max_bytes,
                      std::string_view if_missing = "check the path");

/// Creates `path` and its parents; throws engine::Error where that cannot be, or where it is there
/// and cannot be written to.
void make_folder(const std::filesystem::path& path);

/// A file that grows with every write, flushed as it comes. Throws as AtomicFile does.
class LineFile {
 public:
  /// Begins it anew, or with `append` goes on with what is there.
  explicit LineFile(const std::filesystem::path& path, bool append = false);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  void write(std::string_view text);

 private:
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

}  // namespace train
