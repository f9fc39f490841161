#include "train/files.h"

#include <strings.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <random>

#include "engine/error.h"
#include "train/json.h"

namespace train {
namespace fs = std::filesystem;

namespace {
[[noreturn]] void fail_with_errno(const fs::path& path, const char* what,
                                  const char* way_out = "choose another folder") {
  const int code = errno;
  throw engine::Error(
      engine::concat(what, " ", path.string(), ": ", std::strerror(code), "; ",
                     code == ENOSPC ? "free some space or choose another folder" : way_out));
}

/// Nobody else's: neither another process's here nor one's on another machine.
std::string temporary_suffix() {
  return engine::concat('.', getpid(), '-', std::hex, std::random_device{}(), ".tmp");
}
}  // namespace

AtomicFile::AtomicFile(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + temporary_suffix()) {
  std::error_code code;  // what cannot be looked at cannot be written either, and that says why
  const fs::file_type type = fs::status(path_, code).type();
  engine::require(type != fs::file_type::character && type != fs::file_type::block &&
                      type != fs::file_type::fifo && type != fs::file_type::socket,
                  "cannot write ", path_.string(),
                  ": is a device, pipe or socket, which a finished file would replace; give the "
                  "path of a file");
  file_ = std::fopen(temporary_.c_str(), "wbx");
  if (file_ == nullptr) fail("cannot write");
}

AtomicFile::~AtomicFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::error_code ignored;  // best effort: the target is untouched either way
  fs::remove(temporary_, ignored);
}

void AtomicFile::fail(const char* what) const { fail_with_errno(path_, what); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;  // whose pointer may be null
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("cannot write");
}

void AtomicFile::flush() {
  if (std::fflush(file_) != 0) fail("cannot write");
}

void AtomicFile::commit() {
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) fail("cannot write");
  std::FILE* file = file_;
  if (std::fclose(file) != 0) {
    file_ = nullptr;
    fail("cannot write");
  }
  file_ = nullptr;
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot replace");
}

bool has_ending(std::string_view name, std::string_view ending) {
  return name.size() > ending.size() &&
         strncasecmp(name.data() + name.size() - ending.size(), ending.data(), ending.size()) == 0;
}

void remove_temporaries(const fs::path& folder, std::string_view name) {
  std::error_code ignored;  // best effort: they are in nobody's way
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".tmp" && entry.path().filename().string().starts_with(name))
      fs::remove(entry.path(), ignored);
}

void write_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_json(const fs::path& path, const Json& json) { write_atomically(path, json_text(json)); }

Json read_json(const fs::path& path) {
  constexpr const char* kWayOut = "remove it or choose another folder";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) fail_with_errno(path, "cannot read", "check the path");
  std::string text;
  std::array<char, std::size_t{1} << 14> chunk;
  for (std::size_t got = 1; got > 0; text.append(chunk.data(), got)) {
    errno = 0;
    got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    if (std::ferror(file.get()) == 0) continue;
    engine::require(errno != EISDIR, path.string(), ": is a folder; give the JSON file inside it");
    fail_with_errno(path, "cannot read", "check the disk");
  }
  return parse_json(text, path.string(), kWayOut);
}

void read_parts(const std::string& path, const std::function<void(std::string_view)>& part,
                std::string_view if_missing) {
  using engine::require;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require(status.type() != fs::file_type::not_found, "no such file: '", path, "'; ", if_missing);
  require(!error, "cannot open '", path, "': ", error.message());
  require(status.type() != fs::file_type::directory, "'", path,
          "' is a folder; give a file inside it");
  require(status.type() == fs::file_type::regular || status.type() == fs::file_type::fifo, "'",
          path, "' is a device or socket; give a file");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  require(file != nullptr, "cannot open '", path, "': ", std::strerror(errno),
          "; check its permissions");
  // Read to the end rather than trust the size in the directory: a pipe has none, a file may grow.
  std::array<char, std::size_t{1} << 16> chunk;
  for (std::size_t got = 1; got > 0;) {
    errno = 0;
    got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    require(!std::ferror(file.get()), "cannot read '", path, "': ", std::strerror(errno));
    if (got > 0) part({chunk.data(), got});
  }
}

std::string read_file(const std::string& path, std::int64_t max_bytes,
                      std::string_view if_missing) {
  std::string text;
  read_parts(
      path,
      [&](std::string_view part) {
        engine::require(static_cast<std::int64_t>(text.size() + part.size()) <= max_bytes, "'",
                        path, "' is larger than ", max_bytes, " bytes; give a part of it (head -c ",
                        max_bytes, ")");
        try {
          text.append(part);
        } catch (const std::bad_alloc&) {
          throw engine::Error(
              engine::concat("'", path, "' does not fit in memory; give a part of it"));
        }
      },
      if_missing);
  return text;
}

void make_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw engine::Error(engine::concat("cannot create the folder ", path.string(), ": ",
                                       code ? code.message() : "a file of that name is there",
                                       "; choose another folder"));
  if (access(path.c_str(), W_OK | X_OK) != 0) fail_with_errno(path, "cannot write to the folder");
}

LineFile::LineFile(const fs::path& path, bool append)
    : path_(path), file_(std::fopen(path.c_str(), append ? "ab" : "wb")) {
  if (file_ == nullptr) fail_with_errno(path_, "cannot write");
}

LineFile::~LineFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void LineFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0)
    fail_with_errno(path_, "cannot write");
}

}  // namespace train
