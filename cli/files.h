// Files that a flag names, such as --trace, and a folder for what nobody keeps.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.h"
#include "cli/options.h"

namespace cli {

/// What stands at the beginning of a page, and of a trace, that isodrop made.
inline constexpr std::string_view kPageMark = "<meta name=\"generator\" content=\"isodrop\">",
                                  kTraceMark = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";

/// The file of the flag, to be opened before anything is computed, so that nothing is lost to a
/// path that cannot be written; null where the flag has no value. Throws base::Error, also where
/// the file is one that the command reads, or has something in it but not the mark (`mark`; empty:
/// what the flag makes has none).
std::unique_ptr<base::AtomicFile> open_output(const Parsed& args, std::string_view flag,
                                              std::string_view mark);

/// Throws base::Error unless the file may be replaced: it is empty or not there, or has the mark
/// at its beginning. `what`: the flag and its value.
void refuse_others(const std::filesystem::path& file, std::string_view mark,
                   const std::string& what);

/// The file becomes `text`.
void finish(base::AtomicFile& file, std::string_view text);

/// A new folder that is this user's alone and gone when this ends. Removes those that killed
/// processes have left.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<base::RunLock> lock_;  // by which others see that somebody uses it
};

}  // namespace cli
