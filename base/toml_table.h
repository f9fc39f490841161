// Reading TOML; errors name file, line and column.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/error.h"
#include "base/text.h"

namespace base {

/// The largest count in a file, such as seeds or trials.
inline constexpr std::int64_t kMostOfAnything = 10'000;

/// "FILE:LINE:COLUMN"
inline std::string place(const std::filesystem::path& path, const toml::source_region& at) {
  return fmt::format("{}:{}:{}", path.string(), at.begin.line, at.begin.column);
}

/// The text of a TOML file of at most 1 MB. `what` ("study file") is for errors. Throws
/// base::Error.
std::string read_toml_text(const std::filesystem::path& path, std::string_view what);
/// Throws base::Error with line and column if it is not TOML.
toml::table parse_toml(const std::string& text, const std::filesystem::path& path);

/// A table of the file. Hands out its values; done() refuses keys that nobody asked for.
class TomlTable {
 public:
  TomlTable(const std::filesystem::path& path, const toml::table* table, std::string name)
      : path_(path), table_(table), name_(std::move(name)) {}

  bool there() const { return table_ != nullptr; }
  bool has(std::string_view key) { return find(key) != nullptr; }
  std::string where() const {
    return table_ != nullptr ? place(path_, table_->source()) : path_.string();
  }
  std::string where(std::string_view key) {
    const toml::node* node = find(key);
    return node != nullptr ? place(path_, node->source()) : where();
  }

  template <class T>
  T value(std::string_view key, T fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    // 1 is a number, too.
    const auto value = std::is_same_v<T, double> ? node->value<T>() : node->value_exact<T>();
    if (!value) wrong(*node, key, kind<T>());
    return *value;
  }
  std::int64_t count(std::string_view key, std::int64_t fallback, std::int64_t least) {
    const auto n = value<std::int64_t>(key, fallback);
    base::require(n >= least && n <= kMostOfAnything, where(key), ": ", key, " ", n,
                  ": give a whole number in [", least, ", ", kMostOfAnything, "]");
    return n;
  }
  std::string needed(std::string_view key) {
    const auto text = value<std::string>(key, "");
    base::require(!text.empty(), where(), ": ", title(), " has no ", key, "; give a text");
    return text;
  }
  template <class T>
  std::vector<T> list(std::string_view key) {
    std::vector<T> out;
    for_items(key, "a list", [&](const toml::node& item) {
      const auto value = std::is_same_v<T, double> ? item.value<T>() : item.value_exact<T>();
      if (!value) wrong(item, key, kind<T>());
      out.push_back(*value);
    });
    return out;
  }
  TomlTable table(std::string_view key) {
    const toml::node* node = find(key);
    if (node != nullptr && node->as_table() == nullptr) wrong(*node, key, "a table");
    return {path_, node != nullptr ? node->as_table() : nullptr, std::string(key)};
  }
  std::vector<TomlTable> tables(std::string_view key) {
    std::vector<TomlTable> out;
    for_items(key, "tables, [[" + std::string(key) + "]]", [&](const toml::node& item) {
      if (item.as_table() == nullptr) wrong(item, key, "a table");
      out.emplace_back(path_, item.as_table(), std::string(key));
    });
    return out;
  }

  /// Every key that was not asked for, with its value as a flag would have it.
  std::vector<std::pair<std::string, std::string>> settings() {
    std::vector<std::pair<std::string, std::string>> out;
    if (table_ == nullptr) return out;
    for (const auto& [key, node] : *table_)
      if (std::find(asked_.begin(), asked_.end(), key.str()) == asked_.end())
        out.emplace_back(std::string(key.str()), text_of(node, key.str()));
    for (const auto& [key, value] : out) asked_.push_back(key);
    return out;
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    for_items(key, "a list", [&](const toml::node& item) { out.push_back(text_of(item, key)); });
    return out;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    if (table_ != nullptr)
      for (const auto& [key, node] : *table_) out.emplace_back(key.str());
    return out;
  }

  void done() const {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (std::find(asked_.begin(), asked_.end(), key.str()) != asked_.end()) continue;
      const std::vector<std::string_view> known(asked_.begin(), asked_.end());
      throw base::Error(fmt::format("{}: unknown key {} in {}; {}", place(path_, key.source()),
                                    base::quote(key.str()), title(),
                                    base::suggest(key.str(), known)));
    }
  }

 private:
  const toml::node* find(std::string_view key) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
    return table_ != nullptr ? table_->get(key) : nullptr;
  }
  template <class F>
  void for_items(std::string_view key, std::string_view want, const F& f) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) wrong(*node, key, want);
    for (const toml::node& item : *array) f(item);
  }
  std::string title() const { return name_.empty() ? "the file" : "[" + name_ + "]"; }
  [[noreturn]] void wrong(const toml::node& node, std::string_view key,
                          std::string_view want) const {
    throw base::Error(
        fmt::format("{}: {} in {} is not {}", place(path_, node.source()), key, title(), want));
  }
  std::string text_of(const toml::node& node, std::string_view key) const {
    if (const auto v = node.value_exact<std::string>()) return *v;
    if (const auto v = node.value_exact<bool>()) return *v ? "true" : "false";
    if (const auto v = node.value_exact<std::int64_t>()) return std::to_string(*v);
    if (const auto v = node.value_exact<double>()) return fmt::format("{}", *v);
    wrong(node, key, "a text, a number, true or false");
  }
  template <class T>
  static std::string_view kind() {
    if constexpr (std::is_same_v<T, std::string>) return "a text";
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_same_v<T, std::int64_t>) return "a whole number";
    return "a number";
  }

  const std::filesystem::path& path_;
  const toml::table* table_;
  std::string name_;
  std::vector<std::string> asked_;
};

}  // namespace base
