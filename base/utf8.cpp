#include "base/utf8.h"

namespace base {
namespace {

constexpr char32_t kBeyondUnicode = 0x110000;

bool is_continuation(unsigned char byte) { return (byte & 0xC0u) == 0x80u; }

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return byte(at++);
  // The lead byte gives the length and the smallest code point that needs that many bytes.
  std::size_t length = 0;
  char32_t value = 0, smallest = 0;
  if ((lead & 0xE0u) == 0xC0u) {
    length = 2, value = lead & 0x1Fu, smallest = 0x80;
  } else if ((lead & 0xF0u) == 0xE0u) {
    length = 3, value = lead & 0x0Fu, smallest = 0x800;
  } else if ((lead & 0xF8u) == 0xF0u) {
    length = 4, value = lead & 0x07u, smallest = 0x10000;
  } else {
    return kInvalidUtf8;
  }
  if (text.size() - at < length) return kInvalidUtf8;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte(at + i))) return kInvalidUtf8;
    value = value << 6 | (byte(at + i) & 0x3Fu);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || surrogate || value >= kBeyondUnicode) return kInvalidUtf8;
  at += length;
  return value;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();)
    if (next_code_point(text, at) == kInvalidUtf8) return false;
  return true;
}

}  // namespace base
