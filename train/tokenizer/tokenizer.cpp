#include "train/tokenizer/tokenizer.h"

#include "engine/error.h"

namespace train {

using engine::require;

namespace {

constexpr std::size_t kCodePoints = 0x110000;

bool is_continuation(unsigned char byte) { return (byte & 0xC0u) == 0x80u; }

std::string utf8(char32_t symbol) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80u | (symbol >> shift & 0x3Fu)); };
  if (symbol < 0x80) return {static_cast<char>(symbol)};
  if (symbol < 0x800) return {static_cast<char>(0xC0u | symbol >> 6), tail(0)};
  if (symbol < 0x10000) return {static_cast<char>(0xE0u | symbol >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | symbol >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

std::string_view tokenizer_name(TokenizerKind kind) {
  return kind == TokenizerKind::kByte ? "byte" : "char";
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
  if (value < smallest || surrogate || value >= kCodePoints) return kInvalidUtf8;
  at += length;
  return value;
}

char32_t Tokenizer::next_symbol(const Source& source, std::size_t& at) const {
  if (kind_ == TokenizerKind::kByte) return static_cast<unsigned char>(source.text[at++]);
  const char32_t symbol = next_code_point(source.text, at);
  if (symbol == kInvalidUtf8)
    throw engine::Error(engine::concat(source.name, ": not UTF-8 at byte offset ", at,
                                       "; convert it to UTF-8 or use --tokenizer byte"));
  return symbol;
}

Tokenizer::Tokenizer(TokenizerKind kind, std::span<const Source> sources) : kind_(kind) {
  const std::size_t symbols = kind == TokenizerKind::kByte ? 256 : kCodePoints;
  ids_.assign(symbols, -1);
  for (const Source& source : sources)
    for (std::size_t at = 0; at < source.text.size();) ids_[next_symbol(source, at)] = 0;
  for (char32_t symbol = 0; symbol < symbols; ++symbol) {
    if (ids_[symbol] < 0) continue;
    ids_[symbol] = static_cast<std::int32_t>(pieces_.size());
    pieces_.push_back(kind == TokenizerKind::kByte ? std::string{static_cast<char>(symbol)}
                                                   : utf8(symbol));
  }
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, std::string_view name) const {
  const Source source{text, name};
  std::vector<std::int32_t> out;
  out.reserve(source.text.size());
  for (std::size_t at = 0; at < source.text.size();) {
    const std::size_t begin = at;
    const char32_t symbol = next_symbol(source, at);
    const std::int32_t id = symbol < ids_.size() ? ids_[symbol] : -1;
    if (id < 0) {
      // A control character or half a sequence would garble the terminal: give its number instead.
      const bool printable = symbol > 0x20 && (symbol < 0x7F || (symbol > 0x9F && at - begin > 1));
      std::ostringstream number;
      number << (kind_ == TokenizerKind::kByte ? "byte 0x" : "U+") << std::hex << std::uppercase
             << static_cast<std::uint32_t>(symbol);
      throw engine::Error(engine::concat(
          source.name, ": ",
          printable ? engine::concat("'", source.text.substr(begin, at - begin), "' (")
                    : std::string(),
          number.str(), printable ? ")" : "", " at byte offset ", begin,
          " does not occur in the corpus the vocabulary comes from; leave it out"));
    }
    out.push_back(id);
  }
  return out;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string out;
  out.reserve(ids.size());
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < vocab(), "token ", id, " is outside the vocabulary [0, ", vocab(), ")");
    out += pieces_[static_cast<std::size_t>(id)];
  }
  return out;
}

}  // namespace train
