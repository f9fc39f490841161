// A user's table: a CSV file with named columns, one of which is predicted from the others.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/text_files.h"

namespace data {

struct TableFile {
  std::string path, target;
  std::vector<std::string> columns;  // of features (F), in the file's order
  std::vector<double> features;      // (rows,F)
  std::vector<double> numbers;       // (rows) targets of regression, else empty
  std::vector<std::string> classes;  // (V) sorted; empty for regression
  std::vector<std::int32_t> labels;  // (rows) of classification: which of `classes`
  std::string hash;                  // of header and cells: 32 hex digits
  std::int64_t rows = 0;

  std::int64_t width() const { return static_cast<std::int64_t>(columns.size()); }
};

/// Reads a file or several (text_files()), packed or not, as one table. The first line names the
/// columns and may be repeated at the head of further files. All columns but `target` are numbers,
/// and so is the target unless `classes`. Throws Error naming file, line and column for a missing
/// or malformed cell, unnamed or repeated columns, rows of other lengths, and a table larger than
/// memory.
TableFile read_table(const std::string& path, const std::string& target, bool classes,
                     Memory memory = memory_left);

/// A record's cells, valid during the call, and the line (from 1) that it begins on.
using CsvRow = std::function<void(std::int64_t line, std::span<const std::string> cells)>;

/// Calls `row` for each record of a text as RFC 4180 has it. Skips a UTF-8 byte order mark, blank
/// lines and blanks around cells without quotes. Throws Error "NAME:LINE: …" for text that is not
/// UTF-8, separators other than commas and quotes that do not pair; what `row` throws passes
/// through.
void read_csv(std::string_view text, const std::string& name, const CsvRow& row);  // csv_file.cpp

}  // namespace data
