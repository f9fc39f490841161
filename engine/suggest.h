// What an error says about a name nobody knows or a value it repeats, and words cut and joined.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// Edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`. Case does not
/// count, nor does '-' against '_'.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate most likely meant by `name`: at most a third of its letters off, or one name
/// contained in the other. Empty where there is none; the first of equals.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// "did you mean 'X'?", or where nothing is near "choose from A, B, C".
std::string suggest(std::string_view name, std::span<const std::string_view> candidates);

/// The value in single quotes, fit for a one-line message: control characters escaped, cut short
/// after 120 bytes.
std::string quote(std::string_view value);

/// Without the blanks and line ends around it.
std::string_view trim(std::string_view text);

/// "1 024 000"
std::string grouped(std::uint64_t n);

/// "4" or "3 or 6": the nearest to `wanted` that divide `whole`, below and above. Both at least 1.
std::string divisors_near(std::int64_t whole, std::int64_t wanted);

/// "A, B, C"
std::string join(std::span<const std::string_view> words, std::string_view separator = ", ");

}  // namespace engine
