// What was measured of one run, by name.
#pragma once
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/runs/metrics.h"

namespace lab {

/// Finite numbers by name. Those of the metric table lie by its rows, since a store has a hundred
/// thousand runs and a report asks each of them for every row; others (the probe's) in a map.
class Values {
 public:
  using Others = std::map<std::string, double, std::less<>>;

  Values() = default;
  Values(std::initializer_list<std::pair<std::string_view, double>> values);

  /// Adds or replaces. REQUIRES: `value` is finite.
  void set(std::string_view name, double value);
  void set(const Metric& metric, double value);
  void erase(std::string_view name);

  std::optional<double> at(std::string_view name) const;
  /// REQUIRES: `metric` is a row of the table.
  std::optional<double> at(const Metric& metric) const;
  std::size_t size() const;
  /// Those that are no rows of the metric table.
  Others& others() { return others_; }
  const Others& others() const { return others_; }

 private:
  std::vector<double> rows_;  // of the metric table; NaN: not known
  Others others_;
};

}  // namespace lab
