// Tables of text: aligned for a terminal, in Markdown, and fields for CSV.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace base {

/// The heading, then the rows, all of one length. The first and last columns are words, the others
/// numbers.
using Lines = std::vector<std::vector<std::string>>;

inline constexpr std::string_view kBold = "\033[1m";

/// The escape sequence for a line; empty: none.
using LineStyle = std::string_view (*)(const std::vector<std::string>& line, bool heading);

/// Characters (code points) of UTF-8 text.
std::size_t text_width(std::string_view utf8);

/// Breaks the text at words into lines of at most `width` characters (0: no limit) unless a word is
/// longer, and indents those after the first. Its own line ends stay; the last line has none.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

/// Columns padded to their widths, fields printable. `style` null: plain text.
std::string text_table(const Lines& lines, LineStyle style);

/// Escaped for Markdown and the HTML in it, on one line.
std::string markdown_text(std::string_view text);
std::string markdown_table(const Lines& lines);

/// A string, number or null (empty), quoted as RFC 4180 asks. Text that looks like a formula (=, +,
/// -, @) and is not a number gets an apostrophe before it.
std::string csv_field(const nlohmann::ordered_json& value);

}  // namespace base
