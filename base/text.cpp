#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace base {
namespace {

constexpr std::size_t kLongestName = 64;  // longer ones are not typing mistakes

char fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

std::string fold(std::string_view text) {
  std::string out;
  for (const char c : text) out += fold(c);
  return out;
}

/// C0, DEL and C1, changes of direction, what is not seen, and line separators.
bool hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

template <class Number>
std::errc from_whole(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  if (error == std::errc::invalid_argument || stop != end) return std::errc::invalid_argument;
  return error;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: three rows of the table of prefix distances.
  const std::string x = fold(a), y = fold(b);
  std::vector<std::size_t> before(y.size() + 1), last(y.size() + 1), row(y.size() + 1);
  for (std::size_t j = 0; j <= y.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= x.size(); ++i) {
    before = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= y.size(); ++j) {
      const std::size_t replace = last[j - 1] + (x[i - 1] == y[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[y.size()];
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  if (name.empty() || name.size() > kLongestName) return best;
  const std::string wanted = fold(name);
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(wanted, candidate);
    if (distance < best_distance && distance < std::max(wanted.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (!best.empty()) return best;
  for (const std::string_view candidate : candidates) {
    const std::string known = fold(candidate);
    const bool contained = known.find(wanted) != known.npos || wanted.find(known) != wanted.npos;
    if (contained && std::min(known.size(), wanted.size()) >= 3) return candidate;
  }
  return best;
}

std::string suggest(std::string_view name, std::span<const std::string_view> candidates) {
  const std::string_view near = nearest(name, candidates);
  if (near.empty()) return "choose from " + join(candidates);
  return "did you mean '" + std::string(near) + "'?";
}

std::string printable(std::string_view text, std::string_view keep) {
  std::string out;
  const auto escape = [&](const char* format, char32_t value) {
    char escaped[16];
    std::snprintf(escaped, sizeof escaped, format, static_cast<unsigned>(value));
    out += escaped;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_code_point(text, at);
    if (c == kInvalidUtf8) {
      escape("\\x%02x", static_cast<unsigned char>(text[at++]));
    } else if (hidden(c) && keep.find(text[from]) == keep.npos) {
      escape(c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
    } else {
      out += text.substr(from, at - from);
    }
  }
  return out;
}

std::string quote(std::string_view value) {
  constexpr std::size_t kLongest = 120;
  std::size_t end = value.size();
  if (end > kLongest) {
    end = kLongest;
    // Back to the beginning of a character, if it is UTF-8.
    for (int back = 0; back < 3 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80; ++back)
      --end;
  }
  std::string out(1, '\'');
  out += printable(value.substr(0, end));
  return out += end < value.size() ? "...'" : "'";
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string divisors_near(std::int64_t whole, std::int64_t wanted) {
  std::int64_t low = std::min(wanted, whole), high = low;
  while (whole % low != 0) --low;
  while (whole % high != 0) ++high;
  return std::to_string(low) + (low == high ? "" : " or " + std::to_string(high));
}

std::string join(std::span<const std::string_view> words, std::string_view separator) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

std::string counted(std::uint64_t n, std::string_view what) {
  return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

std::string decimals(double x, int places, bool sign) {
  constexpr double kLarge = 1e9;
  const bool large = std::abs(x) >= kLarge;
  char text[64];
  std::snprintf(text, sizeof text, large ? (sign ? "%+.*e" : "%.*e") : (sign ? "%+.*f" : "%.*f"),
                large ? 2 : places, x);
  return text;
}

std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ' ');
  return digits;
}

std::string grouped(std::uint64_t n, std::string_view what) {
  return grouped(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

std::errc parse_number(std::string_view text, std::int64_t& out) { return from_whole(text, out); }

std::errc parse_number(std::string_view text, std::uint64_t& out) {
  std::int64_t negative = 0;
  if (from_whole(text, negative) == std::errc{} && negative < 0)
    return std::errc::result_out_of_range;
  return from_whole(text, out);
}

std::errc parse_number(std::string_view text, double& out) {
  const std::errc error = from_whole(text, out);
  if (error == std::errc{} && !std::isfinite(out)) return std::errc::invalid_argument;  // "nan"
  return error;
}

double parse_time(const std::string& text, const std::string& source) {
  constexpr double kLongest = 365 * 86400.0;
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"min", 60}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}};
  for (const auto& [unit, factor] : kUnits) {
    if (!text.ends_with(unit)) continue;
    double value = 0;
    const std::string_view number =
        trim(std::string_view(text).substr(0, text.size() - unit.size()));
    if (parse_number(number, value) != std::errc{}) break;
    require(value > 0 && value * factor <= kLongest, source, " ", quote(text),
            ": give a time above 0 and at most a year");
    return value * factor;
  }
  throw Error(source + " " + quote(text) + ": give a time, such as 10min, 90s or 1.5h");
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
    if ((byte(at + i) & 0xC0u) != 0x80u) return kInvalidUtf8;
    value = value << 6 | (byte(at + i) & 0x3Fu);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || surrogate || value > 0x10FFFF) return kInvalidUtf8;
  at += length;
  return value;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();)
    if (next_code_point(text, at) == kInvalidUtf8) return false;
  return true;
}

std::string utf8(char32_t code_point) {
  const auto tail = [&](int shift) {
    return static_cast<char>(0x80u | (code_point >> shift & 0x3Fu));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0u | code_point >> 6), tail(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0u | code_point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | code_point >> 18), tail(12), tail(6), tail(0)};
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

}  // namespace base
