#include "cli/files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"

namespace cli {
namespace fs = std::filesystem;
namespace {

/// Paths of files and folders that the command reads.
std::vector<std::string> inputs(const Parsed& args) {
  const train::Settings& s = args.settings;
  std::vector<std::string> all = args.arguments;
  all.insert(all.end(), {args.argument, s.text, s.val, s.test, s.csv, s.init_from,
                         data::tokenizer_path(s.tokenizer)});
  for (const char* flag : {"text", "ids", "config"})
    if (args.knows(flag)) all.push_back(args.text(flag));
  if (args.knows("tokenizer") && args.has("tokenizer"))
    all.push_back(data::tokenizer_path(args.text("tokenizer")));
  return all;
}

constexpr std::string_view kPrefix = "isodrop-scratch-";

/// Without following a link to one.
bool is_own_folder(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

void remove_left(const fs::path& temporary) {
  std::error_code none;  // best effort: they are in nobody's way
  for (const auto& entry : fs::directory_iterator(temporary, none)) {
    if (!entry.path().filename().string().starts_with(kPrefix) || !is_own_folder(entry.path()))
      continue;
    try {
      const base::RunLock lock(entry.path(), "TMPDIR");
      if (lock.held()) fs::remove_all(entry.path(), none);
    } catch (const base::Error&) {
      continue;  // it has gone meanwhile
    }
  }
}

}  // namespace

void refuse_others(const std::filesystem::path& file, std::string_view mark,
                   const std::string& what) {
  std::error_code none;  // what is not there has nothing in it
  if (!std::filesystem::is_regular_file(file, none) || std::filesystem::file_size(file, none) == 0)
    return;
  std::string head(1024, '\0');
  head.resize(
      std::fread(head.data(), 1, head.size(), base::open_file(file, base::Whose::kFolder).get()));
  base::require(head.find(mark) != head.npos, what,
                ": is a file that isodrop did not make and would replace; give another name");
}

std::unique_ptr<base::AtomicFile> open_output(const Parsed& args, std::string_view flag,
                                              std::string_view mark) {
  const std::string& path = args.text(flag);
  if (path.empty()) return nullptr;
  base::require(!std::filesystem::is_directory(path), "--", flag, " ", base::quote(path),
                ": is a folder; give the name of a file");
  std::error_code none;  // what is not there is no input
  for (const std::string& input : inputs(args))
    base::require(input.empty() || !std::filesystem::equivalent(input, path, none), "--", flag, " ",
                  base::quote(path),
                  ": is a file that this command reads, and would be replaced; give another name");
  refuse_others(path, mark, base::concat("--", flag, " ", base::quote(path)));
  const std::filesystem::path file(path);
  base::remove_temporaries(file.has_parent_path() ? file.parent_path() : ".",
                           file.filename().string() + ".");
  try {
    return std::make_unique<base::AtomicFile>(path);
  } catch (const base::Error& e) {
    const std::string_view reason = e.what();
    throw base::Error(base::concat("--", flag, ": ", reason.substr(0, reason.find(';')),
                                   "; give a file in a folder that can be written to"));
  }
}

void finish(base::AtomicFile& file, std::string_view text) {
  file.write(text);
  file.commit();
}

Scratch::Scratch() {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  base::require(!error, "no folder for temporary files: ", error.message(),
                "; set TMPDIR to one that is there");
  remove_left(temporary);
  // Again if another process took it for one that was left before its lock was held.
  for (bool ours = false; !ours;) {
    std::string name = (temporary / kPrefix).string() + "XXXXXX";
    base::require(mkdtemp(name.data()) != nullptr, "cannot create a folder in ", temporary.string(),
                  ": ", std::strerror(errno), "; set TMPDIR to one that can be written to");
    path_ = name;
    try {
      lock_ = std::make_unique<base::RunLock>(path_, "TMPDIR");
    } catch (const base::Error&) {
      if (fs::exists(path_, error)) throw;
      continue;
    }
    ours = lock_->held() && fs::exists(path_ / "lock", error);
  }
}

Scratch::~Scratch() {
  std::error_code none;
  fs::remove_all(path_, none);
}

}  // namespace cli
