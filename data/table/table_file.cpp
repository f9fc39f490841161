#include "data/table/table_file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <new>
#include <set>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/text/corpus.h"
#include "data/text/text_files.h"

namespace data {
namespace {

using base::concat;
using base::quote;
using base::require;

constexpr double kLargest = 1e30;  // whose square is still far from the end of doubles

std::errc read_cell(std::string_view text, double& out) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return base::parse_number(text, out);
}

/// A file unpacked, of at most `most` bytes.
std::string read_file_of(const std::string& path, base::Whose whose, std::int64_t most,
                         Memory memory) {
  unpacked_name(path);  // refuses what is packed in another way
  std::string text;
  const auto take = [&](std::string_view part) {
    require(std::ssize(text) + std::ssize(part) <= most, "'", path,
            "' makes the table larger than ", kMostTextBytes, " bytes; train on a part of it");
    make_room(text, part.size(), path, memory);
    text.append(part);
  };
  read_unpacked(path, "check the path", take, whose);
  require(!text.empty(), "'", path, "' is empty; give a file with a table in it");
  return text;
}

class TableReader {
 public:
  TableReader(TableFile& table, bool classes, Memory memory)
      : table_(table), classes_(classes), memory_(memory) {}

  /// Begins another file, whose first record may repeat the header.
  void open(const std::string& file) {
    file_ = file;
    first_ = true;
  }

  void take(std::int64_t line, std::span<const std::string> cells) {
    const bool again = std::exchange(first_, false) && !names_.empty();
    if (again && std::equal(cells.begin(), cells.end(), names_.begin(), names_.end())) return;
    require(!again || is_row(cells), file_, ":", line, ": neither the header of ",
            quote(header_of_), " nor a row with a number; give every file the same columns");
    hash_.add(std::to_string(cells.size()));
    for (const std::string& cell : cells) hash_.add(cell);
    if (names_.empty())
      header(line, cells);
    else
      row(line, cells);
  }

  void finish() {
    require(table_.rows > 0, table_.path, ": has no rows below its header; give some");
    table_.hash = hash_.hex();
    if (!classes_) return;
    // Sorted, so that a class's number does not depend on the order of rows.
    std::int32_t next = 0;
    for (auto& [name, id] : ids_) {
      table_.classes.push_back(name);
      rank_.resize(ids_.size());
      rank_[static_cast<std::size_t>(id)] = next++;
    }
    for (std::int32_t& label : table_.labels) label = rank_[static_cast<std::size_t>(label)];
    require(table_.classes.size() > 1, table_.path, ": column ", quote(table_.target), " has ",
            quote(table_.classes[0]), " in every row: there is only one class");
  }

 private:
  /// A line without any number in the number columns is another header.
  bool is_row(std::span<const std::string> cells) const {
    double number = 0;
    for (std::size_t i = 0; i < cells.size() && i < names_.size(); ++i)
      if ((i != target_ || !classes_) && read_cell(cells[i], number) == std::errc{}) return true;
    return false;
  }

  void header(std::int64_t line, std::span<const std::string> cells) {
    const auto need = [&](bool ok, const auto&... what) {
      if (!ok) throw base::Error(concat(file_, ":", line, ": ", what...));
    };
    header_of_ = file_;
    names_.assign(cells.begin(), cells.end());
    double number = 0;
    need(!std::all_of(names_.begin(), names_.end(),
                      [&](const std::string& n) { return read_cell(n, number) == std::errc{}; }),
         "the first line must name the columns, but has only numbers; add a line of names");
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      need(!names_[i].empty(), "column ", i + 1, " has no name; give it one");
      need(std::none_of(names_[i].begin(), names_[i].end(),
                        [](unsigned char c) { return c < ' ' || c == 0x7f; }),
           "column ", quote(names_[i]), " has a control character in its name; rename it");
      need(seen.insert(names_[i]).second, "two columns are called ", quote(names_[i]),
           "; rename one");
    }
    const auto at = std::find(names_.begin(), names_.end(), table_.target);
    if (at == names_.end())
      throw base::Error(concat(file_, ":", line, ": no column is called ", quote(table_.target),
                               ", the target; ", suggestion()));
    target_ = static_cast<std::size_t>(at - names_.begin());
    need(names_.size() > 1, "the target is the only column; give others to predict it from");
    table_.columns = names_;
    table_.columns.erase(table_.columns.begin() + static_cast<std::ptrdiff_t>(target_));
  }

  /// Columns that the target may have meant; of a wide table the first ones.
  std::string suggestion() const {
    constexpr std::size_t kTold = 12;
    const std::vector<std::string_view> all(names_.begin(), names_.end());
    if (all.size() <= kTold || !base::nearest(table_.target, all).empty())
      return base::suggest(table_.target, all);
    return concat("there are ", base::join(std::span(all).first(kTold)), " and ",
                  all.size() - kTold, " more");
  }

  void row(std::int64_t line, std::span<const std::string> cells) {
    require(cells.size() == names_.size(), file_, ":", line, ": ",
            base::counted(cells.size(), "cell"), " where the header names ",
            base::counted(names_.size(), "column"), "; give one cell per column");
    ++table_.rows;
    require(table_.rows <= std::numeric_limits<std::int32_t>::max(), table_.path,
            ": more rows than 31 bits count; train on a part of it");
    make_room(table_.features, cells.size(), table_.path, memory_);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty())
        refuse(line, i, "is missing; fill it in, or leave out the row or the column");
      if (i == target_ && classes_) {
        const auto fresh = static_cast<std::int32_t>(ids_.size());
        table_.labels.push_back(ids_.emplace(cells[i], fresh).first->second);
        continue;
      }
      double number = 0;
      const std::errc error = read_cell(cells[i], number);
      if (error == std::errc::invalid_argument)
        refuse(line, i, quote(cells[i]), " is not a number; ",
               i == target_ ? "for classes give --task classification"
                            : "write it as numbers, or leave out the column");
      if (error != std::errc{} || std::abs(number) > kLargest)
        refuse(line, i, quote(cells[i]), " is out of range; give numbers of at most 1e30");
      (i == target_ ? table_.numbers : table_.features).push_back(number);
    }
  }

  /// Of the cell of a column.
  template <class... What>
  [[noreturn]] void refuse(std::int64_t line, std::size_t column, const What&... what) const {
    throw base::Error(concat(file_, ":", line, ": column ", quote(names_[column]), ": ", what...));
  }

  TableFile& table_;
  bool classes_;
  Memory memory_;
  std::string file_, header_of_;  // that is read, and whose header it is
  bool first_ = true;             // nothing is read of the file
  std::vector<std::string> names_;
  std::size_t target_ = 0;
  std::map<std::string, std::int32_t> ids_;  // in order of appearance
  std::vector<std::int32_t> rank_;
  base::Hash hash_;
};

}  // namespace

TableFile read_table(const std::string& path, const std::string& target, bool classes,
                     Memory memory) {
  TableFile table;
  table.path = path;
  table.target = target;
  require_there(path, "--csv");
  try {
    TableReader reader(table, classes, memory);
    std::int64_t left = kMostTextBytes;
    for (const std::filesystem::path& at : text_files(path)) {
      const std::string file = at.string(),
                        text = read_file_of(file, whose(at, path), left, memory);
      left -= std::ssize(text);
      reader.open(file);
      read_csv(text, file, [&](std::int64_t line, std::span<const std::string> cells) {
        reader.take(line, cells);
      });
    }
    reader.finish();
  } catch (const std::bad_alloc&) {
    throw base::Error(concat("'", path, "' does not fit in memory; train on a part of it"));
  }
  return table;
}

}  // namespace data
