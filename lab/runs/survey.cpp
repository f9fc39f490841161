#include "lab/runs/survey.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "lab/runs/metrics.h"
#include "lab/runs/verify.h"
#include "train/storage/run_files.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

/// Whether a process holds the run's lock. Creates no lock.
bool locked(const fs::path& folder) {
  const int file = open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  const bool free = flock(file, LOCK_SH | LOCK_NB) == 0;
  const bool held = !free && errno == EWOULDBLOCK;
  close(file);
  return held;
}

bool is_temporary(const fs::path& path) { return path.extension() == ".tmp"; }

/// The step of the last whole line of a metrics.jsonl that may still be written.
std::optional<double> last_step(const fs::path& file) {
  constexpr long kTail = 4096;
  std::error_code none;  // not begun, or a temporary that was renamed since it was seen
  if (!fs::exists(fs::symlink_status(file, none))) return {};
  base::FilePtr in;
  try {
    in = base::open_file(file, base::Whose::kRun);
  } catch (const base::NotThere&) {
    return {};
  }
  std::fseek(in.get(), 0, SEEK_END);
  std::fseek(in.get(), std::max(0L, std::ftell(in.get()) - kTail), SEEK_SET);
  std::string tail(kTail, '\0');
  tail.resize(std::fread(tail.data(), 1, tail.size(), in.get()));
  const std::size_t end = tail.rfind('\n');
  if (end == tail.npos || end == 0) return {};
  const std::size_t before = tail.rfind('\n', end - 1);
  const std::size_t begin = before == tail.npos ? 0 : before + 1;
  const Json json = Json::parse(tail.begin() + static_cast<std::ptrdiff_t>(begin),
                                tail.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number()) return {};
  return json["step"].get<double>();
}

SurveyedRun look_at(const Store& store, const std::string& id) {
  SurveyedRun run;
  run.id = id;
  std::error_code code;  // files come and go while others work here
  if (fs::is_symlink(fs::symlink_status(store.folder(id), code))) {
    run.broken = "is a link to a folder elsewhere";
    run.state = RunState::kBroken;
    return run;
  }
  const fs::path weights = store.weights_file(id).filename();
  fs::path metrics = store.folder(id) / "metrics.jsonl";
  for (fs::directory_iterator it(store.folder(id), code), end; !code && it != end;
       it.increment(code)) {
    const std::uintmax_t size = it->file_size(code);
    if (!code) run.bytes += size;
    code.clear();
    const fs::path name = it->path().filename();
    run.weights = run.weights || name == weights;
    if (!is_temporary(name)) continue;
    run.temporaries.push_back(it->path());
    if (name.string().starts_with("metrics.jsonl.")) metrics = it->path();
  }
  try {
    run.step = last_step(metrics);
    if (fs::exists(fs::symlink_status(store.spec_file(id), code)))
      run.spec = stored_spec(store, id);
    run.record = store.find(id);
  } catch (const std::exception& e) {
    run.broken = e.what();
  }
  const bool held = locked(store.folder(id));
  if (run.broken.empty() && !run.spec && !held) run.broken = "has no spec.json";
  run.state = held                       ? RunState::kMade
              : !run.broken.empty()      ? RunState::kBroken
              : !run.temporaries.empty() ? RunState::kStopped
              : run.record               ? RunState::kDone
                                         : RunState::kPlanned;
  // A record is whole whatever another build has left beside it.
  if (run.state == RunState::kStopped && run.record) run.state = RunState::kDone;
  return run;
}

/// The file or folder goes; what it held is told. REQUIRES: the run's lock is held.
Removed take_away(const fs::path& path, const std::string& why) {
  Removed gone{path, 0, why};
  std::error_code code;
  if (fs::is_directory(fs::symlink_status(path, code))) {
    for (const auto& entry : fs::recursive_directory_iterator(path, code))
      if (const auto size = entry.file_size(code); !code) gone.bytes += size;
  } else if (const auto size = fs::file_size(path, code); !code) {
    gone.bytes = size;
  }
  code.clear();
  fs::remove_all(path, code);
  base::require(!code, "cannot remove ", path.string(), ": ", code.message());
  return gone;
}

}  // namespace

bool is_id(std::string_view name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

std::vector<std::string> ids_of(const Store& store) {
  std::error_code code;
  base::require(fs::is_directory(store.root(), code), store.root().string(),
                ": no store is there; give the --store that runs were made in");
  std::vector<std::string> ids;
  for (fs::directory_iterator it(store.root(), code), end; !code && it != end; it.increment(code))
    if (is_id(it->path().filename().string()) && it->is_directory(code))
      ids.push_back(it->path().filename().string());
  base::require(!code, store.root().string(), ": cannot be read: ", code.message());
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string_view to_string(RunState state) {
  constexpr std::string_view kNames[] = {"done", "being made", "stopped", "planned", "broken"};
  return kNames[static_cast<int>(state)];
}

std::vector<SurveyedRun> survey(const Store& store) {
  const std::vector<std::string> ids = ids_of(store);
  std::vector<SurveyedRun> runs(ids.size());
  base::for_each_at_once(ids.size(), [&](std::size_t i) { runs[i] = look_at(store, ids[i]); });
  return runs;
}

namespace {

/// What summary.json says of a run: less than a record, which has the losses of windows too.
RunRecord record_of(const Json& summary, const fs::path& file) {
  RunRecord record;
  bool known = false;
  for (const Status status : {Status::kOk, Status::kDiverged, Status::kUntrained})
    if (summary.value("status", "") == to_string(status)) record.status = status, known = true;
  base::require(known, file.string(), ": has no status");
  for (const Metric& m : metrics())
    if (const auto it = summary.find(m.name); it != summary.end() && it->is_number())
      record.values.set(std::string(m.name), it->get<double>());
  return record;
}

}  // namespace

std::optional<SurveyedRun> survey_trained(const fs::path& folder) {
  std::error_code code;  // files come and go while others work here
  for (const char* name : {train::run_file::kConfig, train::run_file::kData})
    if (!fs::is_regular_file(folder / name, code)) return {};
  SurveyedRun run;
  run.id = folder.string();
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (const std::uintmax_t size = it->file_size(code); !code) run.bytes += size;
    code.clear();
    run.weights = run.weights || it->path().filename() == train::run_file::kWeights;
  }
  try {
    const train::BegunRun begun = train::read_begun(folder);
    run.spec = RunSpec{begun.settings, begun.data.hash};
    run.step = last_step(folder / train::run_file::kMetrics);
    if (const Json summary = train::read_summary(folder); !summary.is_null())
      run.record = record_of(summary, folder / train::run_file::kSummary);
  } catch (const std::exception& e) {
    run.broken = e.what();
  }
  run.state = locked(folder)        ? RunState::kMade
              : !run.broken.empty() ? RunState::kBroken
              : run.record          ? RunState::kDone
                                    : RunState::kStopped;
  return run;
}

SurveyedRun find_run(const Store& store, const std::string& prefix) {
  std::vector<std::string> found;
  for (const std::string& id : ids_of(store))
    if (id.starts_with(prefix)) found.push_back(id);
  const std::string asked = "run " + base::quote(prefix);
  base::require(!prefix.empty() && !found.empty(), asked, ": not in ", store.root().string(),
                "; 'isodrop runs ls' lists what is there");
  base::require(found.size() == 1, asked, ": ", found.size(), " runs begin like that, as ",
                found.front(), " and ", found.back(), "; give more of the id");
  return look_at(store, found.front());
}

std::vector<std::pair<std::string, std::string>> regime(const train::Settings& settings) {
  static const train::Settings usual;
  std::vector<std::pair<std::string, std::string>> out;
  for (const train::Row& row : train::settings_table())
    if (!equal_in(row, settings, usual) && decides_results(row) && row.name != "seed")
      out.emplace_back(row.name, train::value_text(settings, row));
  return out;
}

std::vector<Difference> settings_that_differ(const SurveyedRun& a, const SurveyedRun& b) {
  std::vector<Difference> out;
  for (const SurveyedRun* run : {&a, &b})
    base::require(run->spec.has_value(), "run ", run->id, ": ",
                  run->broken.empty() ? "has no spec.json" : run->broken);
  for (const train::Row& row : train::settings_table()) {
    const std::string first = train::value_text(a.spec->settings, row),
                      second = train::value_text(b.spec->settings, row);
    if (first != second) out.push_back({std::string(row.name), first, second});
  }
  if (a.spec->data != b.spec->data) out.push_back({"data", a.spec->data, b.spec->data});
  if (a.spec->owner != b.spec->owner) out.push_back({"owner", a.spec->owner, b.spec->owner});
  return out;
}

std::vector<Difference> values_that_differ(const SurveyedRun& a, const SurveyedRun& b) {
  std::vector<Difference> out;
  const auto say = [&](const std::string& name, const auto& value) {
    const std::string first = value(a), second = value(b);
    if (first != second) out.push_back({name, first, second});
  };
  say("state", [](const SurveyedRun& r) { return std::string(to_string(r.state)); });
  say("status", [](const SurveyedRun& r) {
    return r.record ? std::string(to_string(r.record->status)) : "";
  });
  for (const Metric& m : metrics())
    say(std::string(m.name), [&](const SurveyedRun& r) {
      const auto value = r.record ? r.record->value(m.name) : std::nullopt;
      return value ? fmt::format("{}", *value) : "";
    });
  say("build", [](const SurveyedRun& r) { return r.record ? to_string(r.record->build) : ""; });
  return out;
}

Removed remove_run(const Store& store, const std::string& id) {
  const fs::path folder = store.folder(id);
  store.require_own(id);
  const RunLock lock(folder);
  base::require(lock.held(), "run ", id, ": a process is making it; stop that first");
  return take_away(folder, "asked for");
}

std::vector<Removed> collect_garbage(const Store& store, bool planned) {
  std::vector<Removed> gone;
  for (const std::string& id : ids_of(store)) {
    const fs::path folder = store.folder(id);
    const SurveyedRun before = look_at(store, id);
    const bool bare = !before.record && before.broken == "has no spec.json",
               left = planned && !before.record && before.spec && before.broken.empty();
    if (before.state == RunState::kMade || (before.temporaries.empty() && !bare && !left)) continue;
    const RunLock lock(folder);
    if (!lock.held()) continue;  // since we looked
    const SurveyedRun now = look_at(store, id);
    if (bare && !now.spec && !now.record)
      gone.push_back(take_away(folder, "a folder without a spec"));
    else if (left && !now.record)
      gone.push_back(take_away(folder, "planned, never made"));
    else
      for (const fs::path& file : now.temporaries)
        gone.push_back(take_away(file, "half written by a process that has ended"));
  }
  return gone;
}

}  // namespace lab
