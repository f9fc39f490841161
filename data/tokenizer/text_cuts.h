// Where some texts occur in another, and where a text may be cut without changing what
// SentencePiece makes of it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace data {

/// Walks through a text from one of the sought texts to the next, reading the text once for each:
/// where a rare one was found is remembered until the walk is past it.
class Occurrences {
 public:
  /// None of `sought` is empty. The views must outlive this.
  Occurrences(std::string_view text, std::vector<std::string_view> sought)
      : text_(text), sought_(std::move(sought)), next_(sought_.size(), kUnsought) {}

  struct Found {
    std::size_t at, which;  // the text's end and the number of sought texts: there is none
  };
  /// The first at `from` or behind it; of those that begin there the longest. REQUIRES: `from` is
  /// not below the last one.
  Found next(std::size_t from) {
    Found found{text_.size(), sought_.size()};
    for (std::size_t i = 0; i < sought_.size(); ++i) {
      if (next_[i] == kUnsought || next_[i] < from) {
        next_[i] = std::min(text_.find(sought_[i], from), text_.size());
        scanned_ += std::min(next_[i] + sought_[i].size(), text_.size()) - from;
      }
      if (next_[i] == text_.size() || next_[i] > found.at) continue;
      if (next_[i] < found.at || sought_[i].size() > sought_[found.which].size())
        found = {next_[i], i};
    }
    return found;
  }
  std::string_view sought(std::size_t which) const { return sought_[which]; }
  /// How many bytes the searches so far went over.
  std::uint64_t scanned() const { return scanned_; }

 private:
  static constexpr std::size_t kUnsought = ~std::size_t{0};
  std::string_view text_;
  std::vector<std::string_view> sought_;
  std::vector<std::size_t> next_;
  std::uint64_t scanned_ = 0;
};

// U+2581, which stands for a blank in pieces, and U+2585, which the trainer has a use for.
inline constexpr std::string_view kSpace = "\xE2\x96\x81", kUnknown = "\xE2\x96\x85";
/// Bytes: the trainer counts characters of a word in 16 bits.
inline constexpr std::size_t kSentence = 4000;

/// Where a part of `text` ends that has at most about `most` bytes: before a blank behind something
/// else where `apart` allows it, or failing that and where `anywhere`, between two characters.
template <class F>
std::size_t part_end(std::string_view text, std::size_t most, bool anywhere, const F& apart) {
  if (text.size() <= most) return text.size();
  const auto cut = [&](std::size_t i) { return text[i] == ' ' && text[i - 1] != ' ' && apart(i); };
  for (std::size_t i = most; i > most / 2; --i)
    if (cut(i)) return i;
  if (anywhere) {
    std::size_t i = most;
    while (i > 1 && (static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u) --i;
    return i;
  }
  for (std::size_t i = most; i < text.size(); ++i)
    if (cut(i)) return i;
  return text.size();
}

/// Calls `part` with what stands between line ends, tabs and what else the trainer would skip a
/// whole sentence for.
template <class F>
void for_each_sentence(std::string_view text, const F& part) {
  while (!text.empty()) {
    std::size_t end = text.find_first_of(std::string_view("\n\t\r\0\xE2", 5)), skip = 1;
    while (end != text.npos && text[end] == '\xE2' && text.substr(end, 3) != kSpace &&
           text.substr(end, 3) != kUnknown)
      end = text.find_first_of(std::string_view("\n\t\r\0\xE2", 5), end + 1);
    if (end == text.npos)
      end = text.size(), skip = 0;
    else if (text[end] == '\xE2')
      skip = 3;
    for (std::string_view rest = text.substr(0, end); !rest.empty();) {
      const std::size_t n = part_end(rest, kSentence, true, [](std::size_t) { return true; });
      part(rest.substr(0, n));
      rest.remove_prefix(n);
    }
    text.remove_prefix(end + skip);
  }
}

/// The characters of a model's pieces, and which of them stand side by side in a piece.
class PieceCharacters {
 public:
  void add(std::string_view piece) {
    char32_t before = base::kInvalidUtf8;
    for (std::size_t at = 0; at < piece.size();) {
      const char32_t c = base::next_code_point(piece, at);
      if (c == base::kInvalidUtf8) ++at;  // such a piece matches no text
      if (before != base::kInvalidUtf8) pairs_.push_back(key(before, c));
      all_.push_back(before = c);
    }
  }
  void done() {
    for (auto* list : {&all_, &pairs_}) {
      std::sort(list->begin(), list->end());
      list->erase(std::unique(list->begin(), list->end()), list->end());
    }
  }
  bool contain(char32_t c) const { return std::binary_search(all_.begin(), all_.end(), c); }
  /// No piece goes over text[at − 1] and text[at].
  bool apart(std::string_view text, std::size_t at) const {
    if (at == 0 || at == text.size()) return true;
    std::size_t before = at - 1;
    while (before > 0 && (static_cast<unsigned char>(text[before]) & 0xC0u) == 0x80u) --before;
    const char32_t a = base::next_code_point(text, before), b = base::next_code_point(text, at);
    return !std::binary_search(pairs_.begin(), pairs_.end(), key(a, b));
  }

 private:
  static std::uint64_t key(char32_t a, char32_t b) { return std::uint64_t{a} << 32 | b; }
  std::vector<std::uint64_t> all_, pairs_;
};

}  // namespace data
