// What an error says about a name nobody knows or a value it repeats, and words cut and joined.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base {

/// Edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`. Case does not
/// count, nor does '-' against '_'.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate most likely meant by `name`: at most a third of its letters off, or one name
/// contained in the other. Empty where there is none; the first of equals.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// "did you mean 'X'?", or where nothing is near "choose from A, B, C".
std::string suggest(std::string_view name, std::span<const std::string_view> candidates);

/// The text as a terminal may show it: control characters, what turns the direction of writing and
/// bytes that are not UTF-8 are escaped (\x1b, \u{202e}), so that no name from a file moves the
/// cursor or hides a word. Characters of `keep` stay.
std::string printable(std::string_view text, std::string_view keep = "");

/// The value in single quotes, fit for a one-line message: printable, cut short at the end of a
/// character after at most 120 bytes.
std::string quote(std::string_view value);

/// Without the blanks and line ends around it.
std::string_view trim(std::string_view text);

/// "1 024 000"
std::string grouped(std::uint64_t n);
/// The same with what is counted: "12 345 rows", "1 row".
std::string grouped(std::uint64_t n, std::string_view what);

/// "1 run", "2 runs".
std::string counted(std::uint64_t n, std::string_view what);
/// The verb of so many: "is" of one, "are" of others.
constexpr std::string_view are(std::uint64_t n) { return n == 1 ? "is" : "are"; }

/// With so many decimals; from a thousand million on as 1.23e+45.
std::string decimals(double x, int places, bool sign = false);

/// A word as a shell reads it back: as it is, or in single quotes.
std::string shell_word(std::string_view word);

/// "4" or "3 or 6": the nearest to `wanted` that divide `whole`, below and above. Both at least 1.
std::string divisors_near(std::int64_t whole, std::int64_t wanted);

/// "A, B, C"
std::string join(std::span<const std::string_view> words, std::string_view separator = ", ");

}  // namespace base
