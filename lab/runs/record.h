// What is kept of a run: a header, and the values of the metric table by name.
#pragma once
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/runs/build.h"
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

/// kDiverged: the loss was no longer finite, or far above a uniform guess at the end
/// (train::RunResult). kUntrained: the training loss over the last tenth of
/// the budget is above that of the first step or of a uniform guess. kFailed: could not be made
/// (killed, disk full); only in memory, since the next command tries again.
enum class Status : std::uint8_t { kOk, kDiverged, kUntrained, kFailed };
std::string_view to_string(Status status);  // "ok", "diverged", "untrained", "failed"

struct RunRecord {
  std::string id;
  std::uint64_t seed = 0;
  Status status = Status::kOk;
  std::string error;  // of a failed one
  Build build;
  Machine machine;
  Values values;
  // Losses of each evaluation window, in the split's order.
  std::vector<float> val_windows, test_windows;

  bool ok() const { return status == Status::kOk; }
  std::optional<double> value(std::string_view metric) const { return values.at(metric); }
  std::optional<double> value(const Metric& metric) const { return values.at(metric); }
};

/// Records are large, and studies, reports and tables hold the same ones.
using RecordPtr = std::shared_ptr<const RunRecord>;

/// What a run has to say. id and seed are the caller's.
RunRecord make_record(const train::RunResult& result, const train::Task& task,
                      const Machine& machine);

/// {id, seed, status, error (where failed), every metric (null where not known), build, machine}
Json to_json(const RunRecord& record);
/// With {windows: {val, test}} besides, each the losses as one text of numbers, exact as f32: what
/// is published.
Json to_full_json(const RunRecord& record);
/// Trusts nothing; throws base::Error naming `source`, also where a loss is not that of its
/// windows. Metrics that this program does not know are kept.
RunRecord record_from_json(const Json& json, const std::string& source);

/// to_full_json(), sealed: what the store keeps.
Json to_stored_json(const RunRecord& record);
/// The same as record_from_json(); throws if the record is not as it was written, too.
RunRecord record_from_stored(const Json& json, const std::string& source);

}  // namespace lab
