// CSV as spreadsheets and data frames write it. Nothing else sees libcsv.
#include <csv.h>

#include <algorithm>
#include <exception>
#include <new>
#include <vector>

#include "base/error.h"
#include "data/table/table_file.h"

namespace data {
namespace {

using base::require;

void require_utf8_lines(std::string_view text, const std::string& name) {
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    line += text[at] == '\n';
    require(next_code_point(text, at) != kInvalidUtf8, name, ":", line,
            ": not UTF-8; save the table as UTF-8");
  }
}

/// Throws if the first record has another separator than commas.
void require_commas(std::string_view text, const std::string& name) {
  bool quoted = false, other = false;
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  for (const char c : text.substr(begin)) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ',') return;
    if (c == '\n' || c == '\r') break;
    other = other || c == ';' || c == '\t' || c == '|';
  }
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
  require(!other, name, ":", line,
          ": columns are not separated by commas; write the table with commas");
}

/// One pass of libcsv over a text. No exception may cross its C frames: one is kept until they are
/// left.
class CsvPass {
 public:
  CsvPass(const std::string& name, const CsvRow& row) : name_(name), row_(row) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
  }
  ~CsvPass() { csv_free(&parser_); }
  CsvPass(const CsvPass&) = delete;
  CsvPass& operator=(const CsvPass&) = delete;

  void run(std::string_view text) {
    // A line at a time, because libcsv does not say where it is.
    for (std::size_t at = 0; at < text.size(); ++line_) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      const bool whole =
          csv_parse(&parser_, text.data() + at, end - at, on_cell, on_row, this) == end - at;
      check(whole);
      at = end;
    }
    --line_;
    check(csv_fini(&parser_, on_cell, on_row, this) == 0);
  }

 private:
  void check(bool parsed) {
    if (thrown_) std::rethrow_exception(thrown_);
    if (!parsed && csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    require(
        parsed, name_, ":", line_,
        ": a quote inside a cell, or an unclosed one; put the cell in quotes and double the quotes inside it");
  }

  static void on_cell(void* text, std::size_t size, void* self) {
    auto& pass = *static_cast<CsvPass*>(self);
    pass.guard([&] {
      // The parser has no memory for a cell of nothing.
      std::string cell(size == 0 ? "" : static_cast<const char*>(text), size);
      if (pass.cells_.empty())
        pass.begin_ = pass.line_ - std::count(cell.begin(), cell.end(), '\n');
      pass.cells_.push_back(std::move(cell));
    });
  }

  static void on_row(int, void* self) {
    auto& pass = *static_cast<CsvPass*>(self);
    pass.guard([&] { pass.row_(pass.begin_, pass.cells_); });
    pass.cells_.clear();
  }

  template <class F>
  void guard(const F& f) {
    if (thrown_) return;
    try {
      f();
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

  const std::string& name_;
  const CsvRow& row_;
  csv_parser parser_{};
  std::int64_t line_ = 1, begin_ = 1;
  std::vector<std::string> cells_;
  std::exception_ptr thrown_;
};

}  // namespace

void read_csv(std::string_view text, const std::string& name, const CsvRow& row) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  require_utf8_lines(text, name);
  require_commas(text, name);
  CsvPass(name, row).run(text);
}

}  // namespace data
