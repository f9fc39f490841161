#include "train/tokenizer/utf8.h"

#include "engine/error.h"

namespace train {
namespace {

constexpr char32_t kBeyondUnicode = 0x110000;

bool is_continuation(unsigned char byte) { return (byte & 0xC0u) == 0x80u; }

}  // namespace

std::string utf8(char32_t symbol) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80u | (symbol >> shift & 0x3Fu)); };
  if (symbol < 0x80) return {static_cast<char>(symbol)};
  if (symbol < 0x800) return {static_cast<char>(0xC0u | symbol >> 6), tail(0)};
  if (symbol < 0x10000) return {static_cast<char>(0xE0u | symbol >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | symbol >> 18), tail(12), tail(6), tail(0)};
}

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

}  // namespace train
