// Token ids, in memory or in a mapped file as nanoGPT and llm.c write it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace data {

/// A view of ids, stored as 32 or as 16 bits; owns nothing. Elements are read by value.
class TokenSpan {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::int32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = std::int32_t;
    Iterator() = default;
    Iterator(const TokenSpan* of, std::size_t at) : of_(of->at_), wide_(of->wide_), at_(at) {}
    std::int32_t operator*() const { return TokenSpan(of_, wide_)[at_]; }
    Iterator& operator++() { return ++at_, *this; }
    Iterator operator++(int) { return {of_, wide_, at_++}; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    Iterator(const void* of, bool wide, std::size_t at) : of_(of), wide_(wide), at_(at) {}
    const void* of_ = nullptr;
    bool wide_ = true;
    std::size_t at_ = 0;
  };

  TokenSpan() = default;
  TokenSpan(std::span<const std::int32_t> ids) : at_(ids.data()), size_(ids.size()) {}
  TokenSpan(const std::vector<std::int32_t>& ids) : TokenSpan(std::span(ids)) {}
  TokenSpan(std::span<const std::uint16_t> ids)
      : at_(ids.data()), size_(ids.size()), wide_(false) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Bytes that an id takes.
  std::size_t width() const { return wide_ ? sizeof(std::int32_t) : sizeof(std::uint16_t); }
  std::int32_t operator[](std::size_t i) const {
    return wide_ ? static_cast<const std::int32_t*>(at_)[i]
                 : std::int32_t{static_cast<const std::uint16_t*>(at_)[i]};
  }
  std::int32_t front() const { return (*this)[0]; }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size_}; }
  /// REQUIRES: at + count <= size().
  TokenSpan subspan(std::size_t at, std::size_t count) const;
  TokenSpan first(std::size_t count) const { return subspan(0, count); }
  /// Writes `count` ids from `at` on. REQUIRES: at + count <= size().
  void copy(std::size_t at, std::size_t count, std::int32_t* to) const;
  friend bool operator==(const TokenSpan& a, const TokenSpan& b);

 private:
  TokenSpan(const void* at, bool wide) : at_(at), wide_(wide) {}

  const void* at_ = nullptr;
  std::size_t size_ = 0;
  bool wide_ = true;
};

/// Ids and their owner: immutable, so copies and parts share it.
class Tokens {
 public:
  Tokens() = default;
  Tokens(std::vector<std::int32_t> ids);
  /// Part of a mapped file that `owner` keeps.
  Tokens(std::shared_ptr<const void> owner, TokenSpan ids)
      : owner_(std::move(owner)), ids_(ids), mapped_(true) {}

  operator TokenSpan() const { return ids_; }
  std::size_t size() const { return ids_.size(); }
  bool empty() const { return ids_.empty(); }
  std::int32_t operator[](std::size_t i) const { return ids_[i]; }
  TokenSpan::Iterator begin() const { return ids_.begin(); }
  TokenSpan::Iterator end() const { return ids_.end(); }
  /// REQUIRES: at + count <= size().
  Tokens part(std::size_t at, std::size_t count) const;
  /// Memory that they take; 0 if mapped.
  std::size_t bytes() const { return mapped_ ? 0 : size() * ids_.width(); }
  bool mapped() const { return mapped_; }
  friend bool operator==(const Tokens& a, const Tokens& b) { return a.ids_ == b.ids_; }

 private:
  std::shared_ptr<const void> owner_;
  TokenSpan ids_;
  bool mapped_ = false;
};

/// Widths of an id in a .bin without a header: "auto" (uint16, refusing what looks wider),
/// "uint16", "uint32".
std::vector<std::string_view> bin_types();

/// The ids in a .bin, mapped: without a header (nanoGPT), or after llm.c's header of 256 32-bit
/// numbers that begins with magic 20240520, version 1, count (16-bit ids, GPT-2), or magic
/// 20240801, version 7 (32-bit ids, Llama 3). Throws base::Error naming the file: missing, a size
/// or type that is not the header's, ids that look wider than `type`.
Tokens map_tokens(const std::string& path, std::string_view type = "auto");

/// The ids as map_tokens() reads them back: 16 bits each if all fit, otherwise llm.c's header
/// and 32.
std::string token_file(std::span<const std::int32_t> ids);

}  // namespace data
