// Text as it lies around: files, folders, wildcards, JSON lines, gzip and Zstandard.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/tokenizer/tokenizer.h"

namespace train {

/// Of one text after everything is unpacked: beyond it an archive is a mistake, or a bomb.
inline constexpr std::int64_t kMostTextBytes = std::int64_t{1} << 34;

/// The files that a path means: itself; of a folder all in it and its folders, hidden ones left
/// out, sorted by path; of a pattern with * ? or [ that is no file the sorted ones that match.
/// Throws engine::Error where there is none.
std::vector<std::filesystem::path> text_files(const std::string& path);

/// A text, and where each document of it comes from.
class Documents {
 public:
  std::string text;
  /// Runs `use`, which reads text from offset `begin` of this on and calls it `name`. Where a
  /// BadText says that it cannot, the error thrown names the file, and the offset in it instead.
  template <class F>
  auto naming_files(std::size_t begin, const F& use) const {
    try {
      return use();
    } catch (const BadText& bad) {
      throw located(bad, begin);
    }
  }

 private:
  friend Documents read_documents(const std::string&, std::string_view, std::int64_t);
  struct Begin {
    std::size_t at;            // in text
    std::uint32_t file, line;  // the line of a .jsonl that holds the document; 0 of other files
  };
  engine::Error located(const BadText& bad, std::size_t begin) const;

  std::vector<std::string> files_;
  std::vector<Begin> begins_;
};

/// The text of all files that `path` means. NAME.gz and NAME.zst are unpacked; of NAME.jsonl and
/// NAME.ndjson every line is a JSON object, and its string "text" a document. Endings may be in
/// capitals. Between two documents (such lines, files where there are several) stands `separator`,
/// once. Throws engine::Error naming the file: what cannot be read or unpacked, is empty, is a
/// .bin, or larger than `max_bytes` in all.
Documents read_documents(const std::string& path, std::string_view separator = kEndOfText,
                         std::int64_t max_bytes = kMostTextBytes);
/// The same as text alone.
std::string read_text(const std::string& path, std::int64_t max_bytes = kMostTextBytes);

/// Whether the path names a file of token ids: NAME.bin.
bool is_token_file(const std::string& path);

/// A file that both paths mean, or one of each with the same bytes: "'A'" or "'B', a copy of 'A'".
/// Empty where there is none.
std::string shared_file(const std::string& a, const std::string& b);

}  // namespace train
