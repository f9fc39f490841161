// Text from files, folders, patterns, JSON lines, gzip and Zstandard.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/open_file.h"
#include "data/tokenizer/tokenizer.h"

namespace data {

/// Of one unpacked text: beyond it an archive is a mistake, or a bomb.
inline constexpr std::int64_t kMostTextBytes = std::int64_t{1} << 34;

/// Available memory in bytes; 0: not known. A parameter, so that tests can have less.
using Memory = std::size_t (*)();
inline std::size_t memory_left() { return base::available_memory(); }

/// Throws base::Error if `bytes` more for the contents of `path` do not fit in memory.
void require_room(const std::string& path, double bytes, Memory memory = memory_left);

/// Reserves room for `more` elements, doubling if memory allows. Throws as require_room() does,
/// before the system kills the process.
template <class Container>
void make_room(Container& of, std::size_t more, const std::string& path, Memory memory) {
  constexpr std::size_t kSmall = std::size_t{1} << 20, kElement = sizeof(*of.data());
  const std::size_t needed = of.size() + more, had = of.capacity();
  if (needed <= had || needed * kElement < kSmall) return;
  const std::size_t have = memory() / kElement;
  const std::size_t wanted = std::max(needed, 2 * had > have ? had + had / 8 : 2 * had);
  require_room(path, static_cast<double>(wanted * kElement), memory);
  Container roomy;  // a string that reserves takes at least twice what it had
  roomy.reserve(wanted);
  roomy.insert(roomy.end(), of.begin(), of.end());
  of = std::move(roomy);
}

/// The files of a path, sorted: itself, all files in a folder and its subfolders except hidden
/// ones, or those that a pattern with * ? or [ matches. Throws base::Error if there are none.
std::vector<std::filesystem::path> text_files(const std::string& path);

/// A text and the origin of each of its documents.
class Documents {
 public:
  std::string text;
  /// Runs `use`, which reads the text from offset `begin` on. A BadText that it throws is thrown
  /// again with the file's name and the offset in that file.
  template <class F>
  auto naming_files(std::size_t begin, const F& use) const {
    try {
      return use();
    } catch (const BadText& bad) {
      throw located(bad, begin);
    }
  }

 private:
  friend Documents read_documents(const std::string&, std::string_view, std::int64_t, Memory);
  struct Begin {
    std::size_t at;            // in text
    std::uint32_t file, line;  // the line of a .jsonl that holds the document; 0 of other files
  };
  base::Error located(const BadText& bad, std::size_t begin) const;

  std::vector<std::string> files_;
  std::vector<Begin> begins_;
};

/// Who names `file`, one of text_files(path): a person if it is the path itself.
base::Whose whose(const std::filesystem::path& file, const std::string& path);

/// Throws base::Error naming the flag ("--text") and the path if there is no such file, folder or
/// match of a pattern. `way_out`: what one may do besides checking the path.
void require_there(const std::string& path, std::string_view flag, std::string_view way_out = "");

/// The text of all files of `path`. NAME.gz and NAME.zst are unpacked; each line of NAME.jsonl and
/// NAME.ndjson is a JSON object whose string "text" is a document. `separator` stands once between
/// two documents (lines, files). Throws base::Error naming the file if it cannot be read or
/// unpacked, is empty or a .bin, larger than `max_bytes` in all, or larger than memory.
Documents read_documents(const std::string& path, std::string_view separator = kEndOfText,
                         std::int64_t max_bytes = kMostTextBytes, Memory memory = memory_left);
/// The same as text alone.
std::string read_text(const std::string& path, std::int64_t max_bytes = kMostTextBytes,
                      Memory memory = memory_left);

/// Whether the path names a file of token ids: NAME.bin.
bool is_token_file(const std::string& path);

/// A file that both paths have in common, or a copy: "'A'" or "'B', a copy of 'A'". Empty if none.
std::string shared_file(const std::string& a, const std::string& b);

/// The name without its packing (.gz, .bgz, .zst, .zstd, in any case). Throws base::Error for a
/// packing that is not read (.xz, .zip, .tar.gz).
std::string_view unpacked_name(std::string_view name);  // unpack.cpp

/// Hands the file's contents to `part`, piece by piece, unpacked if its name says so. Several
/// members or frames are one text; zeros after a gzip member are padding. Throws base::Error as
/// read_parts() does, and if the archive is damaged or cut off.
void read_unpacked(const std::string& path, std::string_view if_missing,
                   const std::function<void(std::string_view)>& part,
                   base::Whose whose = base::Whose::kPerson);  // unpack.cpp

}  // namespace data
