#include "lab/runs/store.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace lab {

namespace fs = std::filesystem;

namespace {
constexpr std::int64_t kMostSpecBytes = 1 << 24;
constexpr int kPatience = 200;  // milliseconds that a process has from its lock to its spec

/// The number of threads is the worker's, which is no reason to write the spec again.
bool same_but_threads(const fs::path& file, Json spec) {
  std::error_code none;  // what cannot be looked at is written, with the reason where it cannot be
  if (!fs::exists(fs::symlink_status(file, none))) return false;
  Json there;
  try {
    there = Json::parse(base::read_whole(file, base::Whose::kRun, kMostSpecBytes), nullptr, false);
  } catch (const base::NotThere&) {
    return false;  // removed since
  }
  for (Json* json : {&there, &spec})
    if (json->is_object() && json->contains("settings") && (*json)["settings"].is_object())
      (*json)["settings"].erase("threads");
  return there == spec;
}
}  // namespace

fs::path default_store() {
  const char* given = std::getenv("ISODROP_STORE");
  return given != nullptr && *given != '\0' ? fs::path(given) : fs::path("out") / "runs";
}

std::optional<RunRecord> Store::read(const fs::path& file, const std::string& id) const {
  std::error_code code;  // what cannot even be looked at is refused on writing, with the reason
  if (!fs::exists(fs::symlink_status(file, code))) return {};
  Json json;
  try {
    json = base::read_json(file, base::Whose::kRun);
  } catch (const base::NotThere&) {
    return {};  // removed since
  }
  RunRecord record = record_from_stored(json, file.string());
  base::require(record.id == id, file.string(), ": is the record of run ", base::quote(record.id),
                "; remove it to make this run again");
  return record;
}

std::optional<RunRecord> Store::find(const std::string& id) const {
  require_own(id);
  auto last = read(record_file(id), id);
  if (!last || last->build.computes_like(this_build())) return last;
  auto mine = read(file_of(id, this_build()), id);
  return mine ? mine : last;
}

void Store::add_spec(const RunSpec& spec) const {
  const std::string id = run_id(spec);
  require_own(id);
  base::make_folder(folder(id));
  for (int patience = kPatience; patience > 0; --patience) {
    const RunLock lock(folder(id));
    if (lock.held()) return add_spec(spec, lock);
    if (fs::exists(spec_file(id))) return;
    // The holder of the lock is about to write it.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  base::write_json(spec_file(id), to_json(spec));  // or has stopped: the others' work goes on
}

void Store::add_spec(const RunSpec& spec, const RunLock&) const {
  const std::string id = run_id(spec);
  if (!same_but_threads(spec_file(id), to_json(spec)))
    base::write_json(spec_file(id), to_json(spec));
}

void Store::save(const RunRecord& record) const {
  const fs::path file = record_file(record.id);
  if (const auto old = read(file, record.id); old && !old->build.computes_like(record.build))
    fs::rename(file, file_of(record.id, old->build));
  base::write_json(file, to_stored_json(record));
}

std::vector<CurvePoint> read_curve(const std::filesystem::path& file, base::Whose whose) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
  std::vector<CurvePoint> points;
  std::error_code none;  // not begun
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, none))) return points;
  std::istringstream in;
  try {
    in.str(base::read_whole(file, whose, kMostBytes));
  } catch (const base::NotThere&) {
    return points;  // renamed or removed since
  }
  std::string line;
  while (std::getline(in, line) && !in.eof()) {  // a line without its end is still being written
    const std::string where = file.string() + ", line " + std::to_string(points.size() + 1);
    constexpr const char* kWayOut = "remove the run's folder to make the run again";
    const base::Json json = base::parse_json(line, where, kWayOut);
    const auto number = [&](const char* key) -> std::optional<double> {
      const auto it = json.is_object() ? json.find(key) : json.end();
      if (it != json.end() && it->is_null()) return {};
      const double x = it != json.end() && it->is_number() ? it->get<double>() : NAN;
      base::require(std::isfinite(x), where, ": '", key, "' is missing or no number; ", kWayOut);
      return x;
    };
    const auto known = [&](const char* key) {
      const auto x = number(key);
      base::require(x.has_value(), where, ": '", key, "' is null; ", kWayOut);
      return *x;
    };
    points.push_back({known("step"), known("flops"), number("train_loss"), number("val_loss")});
  }
  return points;
}

}  // namespace lab
