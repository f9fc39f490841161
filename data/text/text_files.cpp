#include "data/text/text_files.h"

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <span>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"

namespace data {
namespace {

namespace fs = std::filesystem;
using base::quote;
using base::require;

constexpr std::string_view kIfMissing = "check the path";

constexpr std::string_view kTokenFile = ".bin";

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
          ": the folder has no files; give one with text files");
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

/// Puts documents one after the other into a text.
class Joiner {
 public:
  Joiner(std::string path, std::string_view separator, std::int64_t most, Memory memory,
         Documents& to)
      : path_(std::move(path)), separator_(separator), most_(most), memory_(memory), to_(to) {}

  /// Reserves room for at least this much.
  void expect(std::size_t bytes) { make_room(to_.text, bytes, path_, memory_); }
  /// Begins another document; `begins` is called with the offset of its first byte.
  template <class F>
  void next(const F& begins) {
    pending_ = true;
    begins_ = begins;
  }
  void add(std::string_view part) {
    if (part.empty()) return;
    if (pending_) {
      pending_ = false;
      const std::string& text = to_.text;
      const std::string_view so_far = base::trim(
          std::string_view(text).substr(text.size() - std::min<std::size_t>(text.size(), 64)));
      if (!text.empty() && !so_far.ends_with(kEndOfText)) append(separator_);
      begins_(text.size());
    }
    append(part);
  }

 private:
  void append(std::string_view part) {
    require(static_cast<std::int64_t>(to_.text.size() + part.size()) <= most_, "'", path_,
            "' is larger than ", most_, " bytes of text; train on a part of it (head -c ", most_,
            "), or on token ids in a .bin, which need not fit in memory");
    make_room(to_.text, part.size(), path_, memory_);
    try {
      to_.text.append(part);
    } catch (const std::bad_alloc&) {
      throw base::Error(base::concat("'", path_,
                                     "' does not fit in memory; train on a part of "
                                     "it, or on token ids in a .bin, which need not"));
    }
  }
  std::string path_;
  std::string_view separator_;
  std::int64_t most_;
  Memory memory_;
  Documents& to_;
  std::function<void(std::size_t)> begins_;
  bool pending_ = false;
};

/// One line of JSON with a document in it.
template <class F>
void add_line(std::string_view line, const std::string& where, Joiner& to, const F& begins) {
  if (base::trim(line).empty()) return;
  const base::Json json =
      base::parse_json(line, where, "give a JSON object with a 'text' on every line");
  require(json.is_object() && json.contains("text") && json["text"].is_string(), where,
          ": no string 'text' in a JSON object; give one on every line");
  to.next(begins);
  to.add(json["text"].get_ref<const std::string&>());
}

/// Calls `begins` with the offset of each line's document in the text, and the line number.
template <class F>
void read_lines(const fs::path& path, base::Whose whose, std::int64_t most, Joiner& to,
                const F& begins) {
  std::string open;  // a line that is not through
  std::uint32_t number = 0;
  const auto line = [&](std::string_view text) {
    ++number;
    add_line(text, base::concat(path.string(), ':', number), to,
             [&begins, at = number](std::size_t offset) { begins(offset, at); });
  };
  const auto lines = [&](std::string_view part) {
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
  };
  read_unpacked(path.string(), kIfMissing, lines, whose);
  line(open);
}

}  // namespace

std::vector<fs::path> text_files(const std::string& path) {
  std::error_code none;  // what is not there is refused when it is read
  if (fs::is_directory(path, none)) return files_in(path);
  if (!fs::exists(path, none) && path.find_first_of("*?[") != path.npos) return matches(path);
  return {path};
}

base::Whose whose(const fs::path& file, const std::string& path) {
  return file == fs::path(path) ? base::Whose::kPerson : base::Whose::kFolder;
}

void require_there(const std::string& path, std::string_view flag, std::string_view way_out) {
  std::error_code none;
  const bool missing = fs::status(path, none).type() == fs::file_type::not_found;
  require(!missing || path.find_first_of("*?[") != path.npos, flag, " ", quote(path),
          ": no such file; check the path", way_out);
}

void require_room(const std::string& path, double bytes, Memory memory) {
  constexpr double kMegabyte = 1e6;
  const auto have = static_cast<double>(memory());
  require(have == 0 || bytes <= have, quote(path), " does not fit in memory: it takes ",
          std::ceil(bytes / kMegabyte), " MB more, and ", std::floor(have / kMegabyte),
          " are free; train on a part of it, or give the process more memory");
}

Documents read_documents(const std::string& path, std::string_view separator,
                         std::int64_t max_bytes, Memory memory) {
  const std::vector<fs::path> files = text_files(path);
  Documents all;
  Joiner joined(path, separator, max_bytes, memory, all);
  std::uintmax_t known = 0;  // of plain files, which are text as they are
  for (const fs::path& file : files)
    if (std::error_code none;
        fs::is_regular_file(file, none) && unpacked_name(file.string()) == file.string())
      known += fs::file_size(file, none);
  if (known <= static_cast<std::uintmax_t>(max_bytes)) joined.expect(known);
  for (const fs::path& file : files) {
    const std::string name = file.string();
    const std::string_view unpacked = unpacked_name(name);
    require(!base::has_ending(unpacked, kTokenFile), "'", name,
            "' holds token ids, not text; give it ", unpacked == name ? "" : "unpacked and ",
            "alone, as text, val or test");
    const std::size_t before = all.text.size();
    all.files_.push_back(name);
    const auto begins = [&all, number = static_cast<std::uint32_t>(all.files_.size() - 1)](
                            std::size_t at, std::uint32_t line) {
      all.begins_.push_back({at, number, line});
    };
    if (base::has_ending(unpacked, ".jsonl") || base::has_ending(unpacked, ".ndjson")) {
      read_lines(file, whose(file, path), max_bytes, joined, begins);
    } else {
      joined.next([&](std::size_t at) { begins(at, 0); });
      read_unpacked(
          name, kIfMissing, [&](std::string_view part) { joined.add(part); }, whose(file, path));
    }
    require(all.text.size() > before || files.size() > 1, "'", name,
            "' is empty; give a file with text in it");
  }
  require(!all.text.empty(), "'", path, "' is empty; give files with text in them");
  return all;
}

base::Error Documents::located(const BadText& bad, std::size_t begin) const {
  const std::size_t at = begin + bad.offset;
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), at,
                                      [](std::size_t o, const Begin& b) { return o < b.at; });
  if (after == begins_.begin()) return bad;
  const Begin& of = *std::prev(after);
  const std::string line = of.line > 0 ? base::concat(':', of.line) : std::string();
  return BadText(files_[of.file] + line, bad.problem, at - of.at, bad.way_out);
}

std::string read_text(const std::string& path, std::int64_t max_bytes, Memory memory) {
  return read_documents(path, kEndOfText, max_bytes, memory).text;
}

bool is_token_file(const std::string& path) { return base::has_ending(path, kTokenFile); }

std::string shared_file(const std::string& a, const std::string& b) {
  std::error_code none;  // what is not there is refused when it is read
  const auto missing = [&](const std::string& path) {
    return path.empty() || (!fs::exists(path, none) && path.find_first_of("*?[") == path.npos);
  };
  if (missing(a) || missing(b)) return "";
  const auto real = [&](const fs::path& path) {
    const fs::path out = fs::canonical(path, none);
    return none ? path : out;
  };
  const auto hash = [](const fs::path& path) {
    base::Hash bytes;
    base::read_parts(
        path.string(), [&](std::string_view part) { bytes.part(std::as_bytes(std::span(part))); },
        kIfMissing, base::Whose::kFolder);
    return bytes.hex();
  };
  const auto size = [&](const fs::path& path) {  // 0 if it cannot be read twice
    return fs::is_regular_file(path, none) ? fs::file_size(path, none) : 0;
  };
  std::set<fs::path> there;
  std::map<std::uintmax_t, std::vector<fs::path>> of_size;
  for (const fs::path& file : text_files(a))
    there.insert(real(file)), of_size[size(file)].push_back(file);
  of_size.erase(0);
  std::map<std::string, fs::path> of_hash;
  std::set<std::uintmax_t> hashed;
  for (const fs::path& file : text_files(b)) {
    if (there.contains(real(file))) return quote(file.string());
    const auto alike = of_size.find(size(file));
    if (alike == of_size.end()) continue;
    // Files of one size are read, each once.
    if (hashed.insert(alike->first).second)
      for (const fs::path& other : alike->second) of_hash.emplace(hash(other), other);
    if (const auto same = of_hash.find(hash(file)); same != of_hash.end())
      return base::concat(quote(file.string()), ", a copy of ", quote(same->second.string()));
  }
  return "";
}

}  // namespace data
