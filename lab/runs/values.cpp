#include "lab/runs/values.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace lab {
namespace {

/// Its place in the metric table; null: it has none.
const Metric* row_of(std::string_view name) {
  static const auto kRows = [] {
    std::unordered_map<std::string_view, const Metric*> rows;
    for (const Metric& m : metrics()) rows.emplace(m.name, &m);
    return rows;
  }();
  const auto it = kRows.find(name);
  return it == kRows.end() ? nullptr : it->second;
}

std::size_t place(const Metric& row) { return static_cast<std::size_t>(&row - metrics().data()); }

}  // namespace

Values::Values(std::initializer_list<std::pair<std::string_view, double>> values) {
  for (const auto& [name, value] : values) set(name, value);
}

void Values::set(std::string_view name, double value) {
  if (const Metric* row = row_of(name))
    set(*row, value);
  else
    others_.insert_or_assign(std::string(name), value);
}

void Values::set(const Metric& metric, double value) {
  if (rows_.empty()) rows_.assign(metrics().size(), NAN);
  rows_[place(metric)] = value;
}

void Values::erase(std::string_view name) {
  if (const Metric* row = row_of(name); row != nullptr && !rows_.empty())
    rows_[place(*row)] = NAN;
  else if (const auto it = others_.find(name); it != others_.end())
    others_.erase(it);
}

std::optional<double> Values::at(std::string_view name) const {
  if (const Metric* row = row_of(name)) return at(*row);
  const auto it = others_.find(name);
  return it == others_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<double> Values::at(const Metric& metric) const {
  if (rows_.empty() || std::isnan(rows_[place(metric)])) return {};
  return rows_[place(metric)];
}

std::size_t Values::size() const {
  const auto unknown =
      std::count_if(rows_.begin(), rows_.end(), [](double x) { return std::isnan(x); });
  return rows_.size() - static_cast<std::size_t>(unknown) + others_.size();
}

}  // namespace lab
