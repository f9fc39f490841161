// Text as it lies around: files, folders, wildcards, JSON lines, gzip and Zstandard.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace train {

/// Of one text after everything is unpacked: beyond it an archive is a mistake, or a bomb.
inline constexpr std::int64_t kMostTextBytes = std::int64_t{1} << 34;

/// The files that a path means: itself; of a folder all in it and its folders, hidden ones left
/// out, sorted by path; of a pattern with * ? or [ that is no file the sorted ones that match.
/// Throws engine::Error where there is none.
std::vector<std::filesystem::path> text_files(const std::string& path);

/// The text of all files that `path` means. NAME.gz and NAME.zst are unpacked; of NAME.jsonl every
/// line is a JSON object, and its string "text" a document. Between two documents (lines of .jsonl,
/// files where there are several) stands <|endoftext|>, once. Throws engine::Error naming the file:
/// what cannot be read or unpacked, is empty, is a .bin, or larger than `max_bytes` in all.
std::string read_text(const std::string& path, std::int64_t max_bytes = kMostTextBytes);

/// Whether the path names a file of token ids: NAME.bin.
bool is_token_file(const std::string& path);

/// The two paths mean a file in common.
bool share_a_file(const std::string& a, const std::string& b);

}  // namespace train
