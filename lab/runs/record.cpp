#include "lab/runs/record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"
#include "lab/runs/spec.h"
#include "train/config/budget.h"

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

constexpr std::array kStatuses = {Status::kOk, Status::kDiverged, Status::kUntrained,
                                  Status::kFailed};

/// The shortest digits that give each number back.
std::string numbers_text(const std::vector<float>& numbers) {
  return fmt::format("{}", fmt::join(numbers, " "));
}

/// Nothing where it is no list of finite numbers.
std::optional<std::vector<float>> numbers_from(std::string_view text) {
  std::vector<float> out;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    float number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || !std::isfinite(number)) return {};
    out.push_back(number);
    if (next < end && *next != ' ') return {};
    at = next + (next < end ? 1 : 0);
  }
  return out;
}

constexpr const char* kMakeAgain = "; remove this file to make the run again";

/// Whether a loss may be the mean of its windows, of which the last may have fewer targets than the
/// others and so count less. No windows: nothing is known.
bool agrees(double loss, const std::vector<float>& windows) {
  if (windows.empty()) return true;
  const double all = std::accumulate(windows.begin(), windows.end(), 0.0);
  const auto n = static_cast<double>(windows.size());
  const double whole = all / n, last = static_cast<double>(windows.back());
  const double others = n > 1 ? (all - last) / (n - 1) : whole;
  const double rounding = 1e-5 * std::max({1.0, std::abs(whole), std::abs(others)});
  return loss >= std::min(whole, others) - rounding && loss <= std::max(whole, others) + rounding;
}

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

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kDiverged:
      return "diverged";
    case Status::kUntrained:
      return "untrained";
    case Status::kFailed:
      return "failed";
  }
  return "?";
}

RunRecord make_record(const train::RunResult& result, const train::Task& task,
                      const Machine& machine) {
  RunRecord record;
  const bool untrained =
      result.late_loss > result.first_loss ||
      result.late_loss > task.constants().uniform_loss.value_or(result.late_loss);
  record.status = result.diverged ? Status::kDiverged
                  : untrained     ? Status::kUntrained
                                  : Status::kOk;
  record.build = this_build();
  record.machine = machine;
  for (const Metric& m : metrics()) {
    if (!m.task.empty() && m.task != task.name()) continue;
    const auto value = m.compute({result, task});
    if (value && std::isfinite(*value)) record.values.set(m, *value);
  }
  for (const auto& [name, value] : result.measured)
    if (std::isfinite(value)) record.values.set(name, value);
  record.val_windows = result.val_windows;
  record.test_windows = result.test_windows;
  return record;
}

Json to_json(const RunRecord& r) {
  constexpr std::size_t kOthers = 8;  // fields that are no metrics
  Json json = Json::object();
  base::reserve(json, metrics().size() + r.values.others().size() + kOthers);
  json.update({{"id", r.id}, {"seed", base::exact(r.seed)}, {"status", to_string(r.status)}});
  if (!r.error.empty()) json["error"] = r.error;
  for (const Metric& m : metrics())
    base::append(json, std::string(m.name), base::or_null(r.value(m)));
  for (const auto& [name, value] : r.values.others()) base::append(json, name, value);
  base::append(json, "build", to_json(r.build));
  base::append(json, "machine", {{"cpu", r.machine.cpu}, {"threads", r.machine.threads}});
  return json;
}

Json to_full_json(const RunRecord& r) {
  Json json = to_json(r);
  base::append(json, "windows",
               {{"val", numbers_text(r.val_windows)}, {"test", numbers_text(r.test_windows)}});
  return json;
}

RunRecord record_from_json(const Json& j, const std::string& source) {
  const auto need = [&](bool ok, const auto&... what) {
    if (!ok) throw base::Error(base::concat(source, ": ", what..., kMakeAgain));
  };
  need(j.is_object(), "not a run's record");
  const auto text = [&](const char* key) {
    need(j.contains(key) && j[key].is_string(), "'", key, "' is missing or no text");
    return j[key].get<std::string>();
  };
  RunRecord r;
  r.id = text("id");
  need(j.contains("seed"), "'seed' is missing");
  if (j["seed"].is_string())
    need(base::parse_number(j["seed"].get<std::string>(), r.seed) == std::errc{},
         "'seed' is not a number");
  else
    need(j["seed"].is_number_unsigned(), "'seed' is not a whole number"), r.seed = j["seed"];
  const std::string status = text("status");
  bool known = false;
  for (const Status s : kStatuses)
    if (to_string(s) == status) r.status = s, known = true;
  need(known && r.status != Status::kFailed, "'status' is ", status,
       ", neither ok nor diverged nor untrained");
  const Json none;
  const auto member = [&](const Json& of, const char* key) -> const Json& {
    const auto it = of.find(key);
    return it == of.end() ? none : *it;
  };
  r.build = build_from_json(member(j, "build"), source);
  const Json& machine = member(j, "machine");
  need(machine.is_object() && machine.size() == 2 && machine.contains("cpu") &&
           machine["cpu"].is_string() && machine.contains("threads") &&
           machine["threads"].is_number_integer(),
       "'machine' is not {cpu, threads}");
  r.machine = {machine["cpu"].get<std::string>(), machine["threads"].get<std::int64_t>()};
  const auto plain = [&](const std::string& shown) {
    need(base::printable(shown) == shown, base::quote(shown), " holds control characters");
  };
  plain(r.id), plain(r.machine.cpu), plain(to_string(r.build));
  for (const auto& [name, value] : j.items()) {
    plain(name);
    if (name == "seed" || value.is_null() || value.is_string() || value.is_object()) continue;
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      need(false, "'", name, "' is ", base::json_compact(value), ", no finite number");
    r.values.set(name, value.get<double>());
  }
  need(!r.ok() || r.value("val_loss"), "'val_loss' is missing in a run that is ok");
  const Json& windows = member(j, "windows");
  need(windows.is_object() && windows.size() == 2, "'windows' is not {val, test}");
  for (const auto& [key, into] : {std::pair{"val", &r.val_windows}, {"test", &r.test_windows}}) {
    const Json& losses = member(windows, key);
    const auto* text_of = losses.get_ptr<const std::string*>();
    auto numbers = text_of == nullptr ? std::nullopt : numbers_from(*text_of);
    // In the spelling that was written: any other was not.
    need(numbers && numbers_text(*numbers) == *text_of, "'windows.", key,
         "' is not a text of numbers");
    *into = std::move(*numbers);
    const auto loss = r.value(base::concat(key, "_loss"));
    need(!loss || agrees(*loss, *into), "'", key, "_loss' is ", loss.value_or(NAN),
         ", which is not the mean of 'windows.", key, "'");
  }
  return r;
}

Json to_stored_json(const RunRecord& r) { return sealed(to_full_json(r)); }

RunRecord record_from_stored(const Json& json, const std::string& source) {
  base::require(json.is_object() && json.contains("hash"), source,
                ": has no 'hash', as isodrop's records have since they are checked", kMakeAgain);
  base::require(is_sealed(json), source, ": was changed after it was written", kMakeAgain);
  return record_from_json(json, source);
}

}  // namespace lab
