// Words, numbers and characters: how errors name and quote them, and how people write them.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace base {

/// Edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`. Ignores case, and
/// '-' against '_'.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `name` most likely means: at most a third of its letters off, or one name
/// inside the other. Empty if there is none; the first of equals.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// "did you mean 'X'?", or "choose from A, B, C" if nothing is near.
std::string suggest(std::string_view name, std::span<const std::string_view> candidates);

/// The text as a terminal may show it: control characters, changes of writing direction and bytes
/// that are not UTF-8 are escaped (\x1b, \u{202e}). Characters of `keep` stay.
std::string printable(std::string_view text, std::string_view keep = "");

/// The value in single quotes, for a one-line message: printable, and cut after at most 120 bytes.
std::string quote(std::string_view value);

/// Without blanks and line ends at both ends.
std::string_view trim(std::string_view text);

/// "1 024 000"
std::string grouped(std::uint64_t n);
/// The same with what is counted: "12 345 rows", "1 row".
std::string grouped(std::uint64_t n, std::string_view what);

/// "1 run", "2 runs".
std::string counted(std::uint64_t n, std::string_view what);
/// "is" for one, "are" for other counts.
constexpr std::string_view are(std::uint64_t n) { return n == 1 ? "is" : "are"; }

/// With this many decimals; from 1e9 on as 1.23e+45.
std::string decimals(double x, int places, bool sign = false);

/// A word as a shell reads it back: as it is, or in single quotes.
std::string shell_word(std::string_view word);

/// "4" or "3 or 6": the divisors of `whole` nearest to `wanted`, below and above. Both at least 1.
std::string divisors_near(std::int64_t whole, std::int64_t wanted);

/// "A, B, C"
std::string join(std::span<const std::string_view> words, std::string_view separator = ", ");

/// Names of a table's rows: any type with a `name`.
template <class Row>
std::vector<std::string_view> names_of(std::span<const Row> table) {
  std::vector<std::string_view> names;
  for (const Row& row : table) names.push_back(row.name);
  return names;
}

/// The row of that name. Throws Error with the valid ones: "unknown norm 'x'; choose from a, b".
template <class Row>
const Row& row_named(std::span<const Row> table, std::string_view name, std::string_view what) {
  for (const Row& row : table)
    if (row.name == name) return row;
  throw Error(concat("unknown ", what, ' ', quote(name), "; choose from ", join(names_of(table))));
}

/// Strict numbers: the whole text, no sign but '-', finite. Returns errc{}, invalid_argument or
/// result_out_of_range.
std::errc parse_number(std::string_view text, std::int64_t& out);
std::errc parse_number(std::string_view text, std::uint64_t& out);
std::errc parse_number(std::string_view text, double& out);

/// Seconds from "10min", "90s", "1.5h" or a plain number of seconds. Throws Error naming `source`.
double parse_time(const std::string& text, const std::string& source);

/// Returned by next_code_point() for bytes that are not UTF-8.
inline constexpr char32_t kInvalidUtf8 = 0xFFFFFFFFu;

/// The code point at text[at]; moves `at` past it. kInvalidUtf8, with `at` unmoved, for anything
/// that RFC 3629, section 4, does not allow. REQUIRES: at < text.size().
char32_t next_code_point(std::string_view text, std::size_t& at);

bool is_utf8(std::string_view text);

/// The code point in UTF-8. REQUIRES: it is no surrogate.
std::string utf8(char32_t code_point);

/// The text with U+FFFD in place of every byte that is not UTF-8.
std::string replaced_utf8(std::string_view text);

}  // namespace base
