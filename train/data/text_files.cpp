#include "train/data/text_files.h"

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/data/unpack.h"
#include "train/files.h"
#include "train/json.h"
#include "train/tokenizer/tokenizer.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using engine::quote;
using engine::require;

constexpr std::string_view kIfMissing =
    "check the path, or leave it out to use the built-in corpus";

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::follow_directory_symlink,
                                      error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (hidden(at->path())) {
      at.disable_recursion_pending();
    } else if (std::error_code none; at->is_regular_file(none)) {
      files.push_back(at->path());
    }
    require(at.depth() < 64, quote(folder.string()),
            ": folders more than 64 deep; a link may lead back");
  }
  require(!error, "cannot read the folder ", quote(folder.string()), ": ", error.message());
  require(!files.empty(), quote(folder.string()),
          ": the folder holds no files; give one with text files in it");
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> matches(const std::string& pattern) {
  glob_t found{};
  const int failed = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  std::vector<fs::path> files(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  require(failed == 0, "no file matches ", quote(pattern), "; ", kIfMissing);
  std::sort(files.begin(), files.end());
  return files;
}

/// The name without .gz or .zst, which says what is packed.
std::string unpacked_name(const fs::path& path) {
  return unpacks(path.string()) ? path.stem().string() : path.filename().string();
}

/// Text with documents after it.
class Documents {
 public:
  Documents(std::string path, std::int64_t most, Memory memory)
      : path_(std::move(path)), most_(most), memory_(memory) {}

  /// What is to come, at least.
  void expect(std::size_t bytes) { make_room(text_, bytes, path_, memory_); }
  /// What comes is of another document.
  void next() { pending_ = !text_.empty(); }
  void add(std::string_view part) {
    if (part.empty()) return;
    if (pending_) {
      pending_ = false;
      const std::string_view so_far = engine::trim(
          std::string_view(text_).substr(text_.size() - std::min<std::size_t>(text_.size(), 64)));
      if (!so_far.ends_with(kEndOfText)) append(kEndOfText);
    }
    append(part);
  }
  std::string take() && { return std::move(text_); }
  std::size_t size() const { return text_.size(); }

 private:
  void append(std::string_view part) {
    require(static_cast<std::int64_t>(text_.size() + part.size()) <= most_, "'", path_,
            "' is larger than ", most_, " bytes of text; train on a part of it (head -c ", most_,
            "), or on token ids in a .bin, which need not fit in memory");
    make_room(text_, part.size(), path_, memory_);
    try {
      text_.append(part);
    } catch (const std::bad_alloc&) {
      throw engine::Error(engine::concat("'", path_,
                                         "' does not fit in memory; train on a part of "
                                         "it, or on token ids in a .bin, which need not"));
    }
  }
  std::string path_, text_;
  std::int64_t most_;
  Memory memory_;
  bool pending_ = false;
};

/// One line of JSON with a document in it.
void add_line(std::string_view line, const std::string& where, Documents& to) {
  if (engine::trim(line).empty()) return;
  const Json json = parse_json(line, where, "give a JSON object with a 'text' on every line");
  require(json.is_object() && json.contains("text") && json["text"].is_string(), where,
          ": no string 'text' in a JSON object; give one on every line");
  to.next();
  to.add(json["text"].get_ref<const std::string&>());
}

void read_lines(const fs::path& path, std::int64_t most, Documents& to) {
  std::string open;  // a line that is not through
  std::int64_t number = 0;
  const auto line = [&](std::string_view text) {
    add_line(text, engine::concat(path.string(), ':', ++number), to);
  };
  read_unpacked(path.string(), kIfMissing, [&](std::string_view part) {
    while (!part.empty()) {
      const std::size_t end = part.find('\n');
      open.append(part.substr(0, end));
      require(static_cast<std::int64_t>(open.size()) <= most, path.string(), ": line ", number + 1,
              " is larger than ", most, " bytes; cut it");
      if (end == part.npos) break;
      line(open);
      open.clear();
      part.remove_prefix(end + 1);
    }
  });
  line(open);
}

}  // namespace

std::vector<fs::path> text_files(const std::string& path) {
  std::error_code none;  // what is not there is refused when it is read
  if (fs::is_directory(path, none)) return files_in(path);
  if (!fs::exists(path, none) && path.find_first_of("*?[") != path.npos) return matches(path);
  return {path};
}

void require_room(const std::string& path, double bytes, Memory memory) {
  constexpr double kMegabyte = 1e6;
  const auto have = static_cast<double>(memory());
  require(have == 0 || bytes <= have, quote(path), " does not fit in memory: it takes ",
          std::ceil(bytes / kMegabyte), " MB more, and ", std::floor(have / kMegabyte),
          " are free; train on a part of it, or give the process more memory");
}

std::string read_text(const std::string& path, std::int64_t max_bytes, Memory memory) {
  const std::vector<fs::path> files = text_files(path);
  Documents all(path, max_bytes, memory);
  std::uintmax_t known = 0;  // of plain files, which are text as they are
  for (const fs::path& file : files)
    if (std::error_code none; fs::is_regular_file(file, none) && !unpacks(file.string()))
      known += fs::file_size(file, none);
  if (known <= static_cast<std::uintmax_t>(max_bytes)) all.expect(known);
  for (const fs::path& file : files) {
    require(!is_token_file(file.string()), "'", file.string(),
            "' holds token ids, not text; give it alone, as text, val or test");
    const std::size_t before = all.size();
    if (unpacked_name(file).ends_with(".jsonl")) {
      read_lines(file, max_bytes, all);
    } else {
      all.next();
      read_unpacked(file.string(), kIfMissing, [&](std::string_view part) { all.add(part); });
    }
    require(all.size() > before || files.size() > 1, "'", file.string(),
            "' is empty; give a file with text in it");
  }
  require(all.size() > 0, "'", path, "' is empty; give files with text in them");
  return std::move(all).take();
}

bool is_token_file(const std::string& path) { return path.ends_with(".bin"); }

bool share_a_file(const std::string& a, const std::string& b) {
  std::error_code none;  // what is not there is refused when it is read
  if (a.empty() || b.empty() ||
      (!fs::is_directory(a, none) && !fs::exists(a, none) && a.find_first_of("*?[") == a.npos))
    return false;
  const auto real = [](const std::string& path) {
    std::vector<fs::path> files = text_files(path);
    for (fs::path& file : files)
      if (std::error_code none_; fs::exists(file, none_)) file = fs::canonical(file, none_);
    std::sort(files.begin(), files.end());
    return files;
  };
  const auto left = real(a), right = real(b);
  std::vector<fs::path> common;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(common));
  return !common.empty();
}

}  // namespace train
