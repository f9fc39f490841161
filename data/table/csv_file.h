// CSV as spreadsheets and data frames write it, by libcsv.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace data {

/// A record's cells, valid during the call, and the line (from 1) that it begins on.
using CsvRow = std::function<void(std::int64_t line, std::span<const std::string> cells)>;

/// Calls `row` for each record of a text as RFC 4180 has it: commas, cells in double quotes where
/// they hold commas, quotes (doubled) or line ends; any line ends; a UTF-8 byte order mark is
/// skipped, and so are blank lines and the blanks around cells without quotes. Throws Error
/// "NAME:LINE: …" for text that is not UTF-8, for other separators than commas and for quotes that
/// don't pair; what `row` throws goes through.
void read_csv(std::string_view text, const std::string& name, const CsvRow& row);

}  // namespace data
