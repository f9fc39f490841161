#include "lab/runs/record.h"

#include <array>
#include <cmath>

#include "engine/error.h"
#include "train/budget.h"

namespace lab {
namespace {

constexpr std::array kStatuses = {Status::kOk, Status::kDiverged, Status::kFailed};

}  // namespace

std::string_view to_string(Status status) {
  return status == Status::kOk ? "ok" : status == Status::kDiverged ? "diverged" : "failed";
}

std::optional<double> RunRecord::value(std::string_view metric) const {
  const auto it = values.find(metric);
  return it == values.end() ? std::nullopt : std::optional(it->second);
}

RunRecord make_record(const train::RunResult& result, const train::Task& task,
                      const Machine& machine) {
  RunRecord record;
  record.status = result.diverged ? Status::kDiverged : Status::kOk;
  record.build = this_build();
  record.machine = machine;
  for (const Metric& m : metrics()) {
    if (!m.task.empty() && m.task != task.name()) continue;
    const auto value = m.compute({result, task});
    if (value && std::isfinite(*value)) record.values.emplace(m.name, *value);
  }
  return record;
}

Json to_json(const RunRecord& r) {
  Json json = {{"id", r.id}, {"seed", train::exact(r.seed)}, {"status", to_string(r.status)}};
  if (!r.error.empty()) json["error"] = r.error;
  for (const Metric& m : metrics()) json[std::string(m.name)] = train::or_null(r.value(m.name));
  for (const auto& [name, value] : r.values)
    if (!json.contains(name)) json[name] = value;
  json["build"] = to_json(r.build);
  json["machine"] = {{"cpu", r.machine.cpu}, {"threads", r.machine.threads}};
  return json;
}

RunRecord record_from_json(const Json& j, const std::string& source) {
  const auto need = [&](bool ok, const auto&... what) {
    if (!ok)
      throw engine::Error(
          engine::concat(source, ": ", what..., "; remove this file to make the run again"));
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
    need(train::parse_number(j["seed"].get<std::string>(), r.seed) == std::errc{},
         "'seed' is no number");
  else
    need(j["seed"].is_number_unsigned(), "'seed' is no whole number"), r.seed = j["seed"];
  const std::string status = text("status");
  bool known = false;
  for (const Status s : kStatuses)
    if (to_string(s) == status) r.status = s, known = true;
  need(known && r.status != Status::kFailed, "'status' is ", status, ", neither ok nor diverged");
  r.build = build_from_json(j.value("build", Json(nullptr)), source);
  const Json machine = j.value("machine", Json(nullptr));
  need(machine.is_object() && machine.contains("cpu") && machine["cpu"].is_string() &&
           machine.contains("threads") && machine["threads"].is_number_integer(),
       "'machine' is not {cpu, threads}");
  r.machine = {machine["cpu"].get<std::string>(), machine["threads"].get<std::int64_t>()};
  for (const auto& [name, value] : j.items()) {
    if (name == "seed" || value.is_null() || value.is_string() || value.is_object()) continue;
    need(value.is_number() && std::isfinite(value.get<double>()), "'", name, "' is ", value.dump(),
         ", no finite number");
    r.values.emplace(name, value.get<double>());
  }
  need(!r.ok() || r.value("val_loss"), "'val_loss' is missing in a run that is ok");
  return r;
}

}  // namespace lab
