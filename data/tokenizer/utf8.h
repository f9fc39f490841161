// Characters of a text.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace data {

/// What a text holds and whoever reads it cannot take: "SOURCE: PROBLEM at byte offset N; WAY OUT".
class BadText : public base::Error {
 public:
  BadText(std::string_view source, std::string what, std::size_t at, std::string otherwise)
      : Error(base::concat(source, ": ", what, " at byte offset ", at, otherwise)),
        problem(std::move(what)),
        way_out(std::move(otherwise)),
        offset(at) {}
  std::string problem, way_out;
  std::size_t offset;  // in the text that was read
};

using base::kInvalidUtf8;
using base::next_code_point;

/// REQUIRES: a code point that is no surrogate.
std::string utf8(char32_t symbol);

/// The text with U+FFFD in place of every byte that is not UTF-8.
std::string replaced_utf8(std::string_view text);

/// Throws BadText.
[[noreturn]] void refuse_utf8(std::string_view source, std::size_t offset);
/// How many code points there are. BadText for what is not UTF-8.
std::size_t require_utf8(std::string_view text, std::string_view source);

}  // namespace data
