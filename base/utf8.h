// Characters of a text.
#pragma once
#include <cstddef>
#include <string_view>

namespace base {

/// Returned by next_code_point for bytes that are not UTF-8.
inline constexpr char32_t kInvalidUtf8 = 0xFFFFFFFFu;

/// The code point at text[at], and moves `at` behind it. kInvalidUtf8 (and `at` unmoved) for a
/// stray or missing continuation byte, an overlong form, a surrogate, anything above U+10FFFF and a
/// sequence cut off by the end of the text. Source: RFC 3629, section 4. REQUIRES: at <
/// text.size().
char32_t next_code_point(std::string_view text, std::size_t& at);

bool is_utf8(std::string_view text);

}  // namespace base
