// A user's table: a CSV file with named columns, one of which is predicted from the others.
#pragma once
#include <cstdint>
#include <string>
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

/// Reads `path`, a file or several (text_files()), packed or not, one table together: the first
/// line names the columns, and may stand again at the head of the other files. All columns but
/// `target` are numbers, and so is that unless `classes`. Throws Error naming file, line and column
/// for what is missing or no number, for columns without a name or with the same, for rows of other
/// lengths, and for what does not fit in memory.
TableFile read_table(const std::string& path, const std::string& target, bool classes,
                     Memory memory = memory_left);

}  // namespace data
