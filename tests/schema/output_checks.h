// Whether what a command prints or writes is what it says it is. Each gives what is wrong, or "".
#pragma once
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "lab/runs/metrics.h"
#include "tests/schema/schemas.h"

namespace tests {

class OutputChecks {
 public:
  /// One document by its schema; "lines:" before its name: one in every line.
  std::string json(const std::string& text, const std::string& schema) const {
    constexpr std::string_view kLines = "lines:";
    if (!schema.starts_with(kLines)) return document(text, schema);
    if (text.empty() || text.back() != '\n') return "does not end with a line's end";
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (const std::string wrong = document(line, schema.substr(kLines.size())); !wrong.empty())
        return wrong;
    return "";
  }

  std::string csv(const std::string& text, const std::string& command) const {
    std::vector<std::string> heading, words;  // the columns that are no numbers
    if (command == "compare") {
      heading = {"cell", "epochs", "unique_tokens", "arm", "seed", "id", "status"};
      for (const lab::Metric& m : lab::metrics())
        heading.emplace_back(m.name == "epochs" ? "run_epochs" : m.name);
      words = {"cell", "arm", "id", "status"};
    } else if (command == "probe") {
      heading = {"site", "value", "layer", "acting", "values", "sampled"};
      for (const char* name : {"mean", "variance", "skewness", "kurtosis"})
        for (const std::string& column :
             {std::string("evaluation_") + name, std::string("training_") + name,
              std::string("training_") + name + "_se"})
          heading.push_back(column);
      for (const char* name : {"variance_ratio", "variance_ratio_se", "w1", "w1_se"})
        heading.emplace_back(name);
      words = {"site", "value", "acting"};
    } else {
      return "no columns are known of it";
    }
    const std::vector<std::vector<std::string>> rows = cells(text);
    if (rows.size() < 2) return "has no row";
    if (rows[0] != heading) return "has another heading: " + text.substr(0, text.find('\n'));
    for (const auto& row : rows) {
      if (row.size() != heading.size()) return "has a row of another length: " + row[0];
      for (std::size_t i = 0; i < row.size() && &row != &rows[0]; ++i) {
        const bool word = std::find(words.begin(), words.end(), heading[i]) != words.end();
        static const std::regex number(R"(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
        if (!word && !row[i].empty() && !std::regex_match(row[i], number))
          return heading[i] + " is no number: " + row[i];
      }
    }
    return "";
  }

  /// Every table has rows as long as its heading.
  std::string markdown(const std::string& text) const {
    std::istringstream in(text);
    std::ptrdiff_t columns = 0, tables = 0, line_of_table = 0;
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with('|')) {
        columns = 0;
        continue;
      }
      const auto bars = std::count(line.begin(), line.end(), '|');
      if (columns == 0) {
        columns = bars;
        line_of_table = 0;
        ++tables;
      }
      if (bars != columns || !line.ends_with('|')) return "has a row of another length: " + line;
      if (++line_of_table == 2 && !std::regex_match(line, std::regex(R"(\|( :?-+:? \|)+)")))
        return "has no line below its heading: " + line;
    }
    return tables == 0 ? "has no table" : this->text(text);
  }

  /// Whole lines of words, none of them a number that is none.
  std::string text(const std::string& text) const {
    if (text.empty() || text.back() != '\n') return "is empty or does not end with a line's end";
    if (text.find('\x1b') != text.npos) return "has escapes, and is no terminal";
    static const std::regex none(R"((^|[^\w'])(-?nan|-?inf|undefined)([^\w]|$))");
    std::smatch found;
    return std::regex_search(text, found, none) ? "has the word " + found.str(2) : "";
  }

  /// One whole document, with the data in it.
  std::string html(const std::string& text) const {
    if (!text.starts_with("<!DOCTYPE html>") && !text.starts_with("<!doctype html>"))
      return "has no doctype";
    if (!text.ends_with("</html>\n")) return "does not end with </html>";
    const std::string begin = "<script type=\"application/json\" id=\"data\">\n";
    const std::size_t at = text.find(begin), end = text.find("\n</script>", at);
    if (at == text.npos || end == text.npos) return "has no data";
    return document(text.substr(at + begin.size(), end - at - begin.size()), "page.json");
  }

 private:
  std::string document(const std::string& text, const std::string& schema) const {
    const base::Json value = base::Json::parse(text, nullptr, false);
    if (value.is_discarded()) return "is no JSON: " + text.substr(0, 200);
    // For scripts/check_schemas.py.
    if (const char* folder = std::getenv("ISODROP_CHECKED_OUTPUTS"); folder != nullptr) {
      static int number = 0;
      base::write_json(std::filesystem::path(folder) /
                           (std::to_string(number++) + "-" + std::to_string(getpid()) + ".json"),
                       {{"schema", schema}, {"value", value}});
    }
    std::string all;
    for (const std::string& error : schemas_.errors(schema, value)) all += error + "\n";
    return all;
  }

  static std::vector<std::vector<std::string>> cells(const std::string& text) {
    std::vector<std::vector<std::string>> rows = {{""}};
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"')
        rows.back().back() += text[++i];
      else if (c == '"')
        quoted = !quoted;
      else if (!quoted && c == ',')
        rows.back().emplace_back();
      else if (!quoted && c == '\n')
        rows.push_back({""});
      else
        rows.back().back() += c;
    }
    rows.pop_back();  // behind the last line's end
    return rows;
  }

  Schemas schemas_;
};

}  // namespace tests
