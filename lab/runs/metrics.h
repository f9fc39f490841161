// What is measured of a run: a table. Records, reports, CSV, JSON and their documentation iterate
// it.
//
// To measure something more: a row in metrics.cpp and a test.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/text/corpus.h"
#include "train/run.h"

namespace lab {

enum class Better : std::uint8_t { kLower, kHigher, kNearZero, kNeither };
std::string_view to_string(Better better);  // "lower", "higher", "near 0", "neither"

/// What a finished run knows.
struct RunFacts {
  const train::RunResult& result;
  const train::Task& task;
};

struct Metric {
  std::string_view name;  // in JSON and CSV
  std::string_view unit;  // "nats/token"; empty: a pure number
  Better better;
  std::string_view format;  // of {fmt}
  std::string_view task;    // that has it; empty: every one
  std::string_view help;
  std::optional<double> (*compute)(const RunFacts&);  // nullopt: not known
  std::string_view measure = {};  // what the setting of that name must ask for; empty: nothing
  std::optional<train::TargetKind> forecast = {};  // of such forecasts alone
};

/// Why runs with these settings have no such metric, for messages; empty if they have it: of the
/// table, or one of the probe (measures.h).
std::string why_no_metric(std::string_view name, const train::Settings& settings);
/// The unit of a metric, or of one of the probe.
std::string_view unit_of(std::string_view name);

std::span<const Metric> metrics();
/// The row of that name. Throws base::Error if there is none.
const Metric& metric(std::string_view name);
/// In the metric's own format; "–" where it is not known.
std::string text(const Metric& metric, const std::optional<double>& value);

}  // namespace lab
