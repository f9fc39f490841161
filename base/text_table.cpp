#include "base/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/json.h"
#include "base/text.h"

namespace base {
std::size_t text_width(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char ch) {
    return (static_cast<unsigned char>(ch) & 0xC0) != 0x80;
  }));
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t used = 0;
  bool fresh = true;  // no word in this line yet
  const auto new_line = [&] {
    out += "\n" + std::string(indent, ' ');
    used = indent;
    fresh = true;
  };
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  while (!text.empty()) {
    std::size_t end = text.find_first_of(" \n");
    while (end < text.size() && end > 0 && text[end] == ' ' && digit(end - 1) && digit(end + 1))
      end = text.find_first_of(" \n", end + 1);  // "1 024 000" is one word
    end = std::min(end, text.size());
    const std::string_view word = text.substr(0, end);
    const std::size_t length = text_width(word);
    if (!fresh && width > 0 && used + 1 + length > width) new_line();
    if (!fresh) out += ' ', ++used;
    out += word;
    used += length;
    fresh = false;
    if (end < text.size() && text[end] == '\n') new_line();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string text_table(const Lines& given, LineStyle style) {
  Lines lines = given;
  for (auto& line : lines)
    for (std::string& field : line) field = base::printable(field);
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], text_width(line[i]));
  std::string out;
  for (std::size_t n = 0; n < lines.size(); ++n) {
    std::string row;
    for (std::size_t i = 0; i < lines[n].size(); ++i) {
      const std::string& field = lines[n][i];
      const std::string pad(widths[i] - text_width(field), ' ');
      const bool left = i == 0 || i + 1 == lines[n].size();
      row += (i > 0 ? "  " : "") + (left ? field + pad : pad + field);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    const std::string_view start = style == nullptr ? "" : style(lines[n], n == 0);
    out += start.empty() ? row + "\n" : fmt::format("{}{}\033[0m\n", start, row);
  }
  return out;
}

std::string markdown_text(std::string_view text) {
  const std::string shown = base::printable(text);
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const char next = i + 1 < shown.size() ? shown[i + 1] : ' ';
    const auto byte = static_cast<unsigned char>(next);
    // "p <0.05" begins no tag, "R & D" no character.
    if (shown[i] == '<' && (std::isalpha(byte) != 0 || next == '/' || next == '!' || next == '?'))
      out += "&lt;";
    else if (shown[i] == '&' && (std::isalnum(byte) != 0 || next == '#'))
      out += "&amp;";
    else
      out += shown[i];
  }
  return out;
}

std::string markdown_table(const Lines& lines) {
  std::string out;
  for (std::size_t n = 0; n < lines.size(); ++n) {
    out += "|";
    for (const std::string& field : lines[n]) {
      out += ' ';
      for (const char ch : markdown_text(field)) out += ch == '|' ? "\\|" : std::string(1, ch);
      out += " |";
    }
    out += '\n';
    if (n > 0) continue;
    out += "|";
    for (std::size_t i = 0; i < lines[0].size(); ++i)
      out += i == 0 || i + 1 == lines[0].size() ? " :-- |" : " --: |";
    out += '\n';
  }
  return out;
}

std::string csv_field(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return base::json_compact(value);
  std::string text = value.get<std::string>();
  double number = 0;
  // What a spreadsheet would take for a formula, it shows as text.
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos &&
      base::parse_number(text, number) != std::errc{})
    text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted(1, '"');
  for (const char ch : text) quoted.append(ch == '"' ? 2 : 1, ch);
  quoted += '"';
  return quoted;
}

}  // namespace base
