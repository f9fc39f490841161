// Where some texts occur in another.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace data {

/// Walks through a text from one of the sought texts to the next. Each is remembered where it was
/// found until the walk is past it, so a rare one is not searched for again at every step: the walk
/// reads the text once for each.
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

}  // namespace data
