#include "data/tokenizer/utf8.h"

#include "base/error.h"

namespace data {
std::string utf8(char32_t symbol) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80u | (symbol >> shift & 0x3Fu)); };
  if (symbol < 0x80) return {static_cast<char>(symbol)};
  if (symbol < 0x800) return {static_cast<char>(0xC0u | symbol >> 6), tail(0)};
  if (symbol < 0x10000) return {static_cast<char>(0xE0u | symbol >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | symbol >> 18), tail(12), tail(6), tail(0)};
}

std::string replaced_utf8(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    if (next_code_point(text, at) == kInvalidUtf8)
      ++at, out += utf8(0xFFFD);
    else
      out += text.substr(from, at - from);
  }
  return out;
}

void refuse_utf8(std::string_view source, std::size_t offset) {
  throw BadText(source, "not UTF-8", offset, "; convert it to UTF-8 or use --tokenizer byte");
}

std::size_t require_utf8(std::string_view text, std::string_view source) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count)
    if (next_code_point(text, at) == kInvalidUtf8) refuse_utf8(source, at);
  return count;
}

}  // namespace data
