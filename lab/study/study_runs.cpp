#include "lab/study/study_runs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "engine/buffer.h"
#include "lab/runs/make.h"
#include "lab/study/folder.h"

namespace lab {
namespace {

std::string host() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

/// What is asked of a pair of arms, whichever of them is the baseline.
std::string question(const StudyRuns& runs, const Point& arm, const Point& baseline) {
  std::vector<std::string> sides;
  for (const Point& point : {arm, baseline}) {
    RunSpec spec = runs.spec(runs.id(point));
    spec.settings.seed = train::Settings{}.seed;
    sides.push_back(run_id(spec));
  }
  std::sort(sides.begin(), sides.end());
  return fingerprint(Json(sides));
}

/// The seeds of each look, as they are kept: [["1", "2"], ["1", "2", "3"]].
using Looks = std::vector<std::set<std::string>>;

Looks read(const std::filesystem::path& file) {
  std::error_code none_yet;
  if (!std::filesystem::exists(file, none_yet)) return {};
  const Json json = base::read_json(file, base::Whose::kRun);
  base::require(json.is_array() || is_sealed(json), file.string(),
                ": was changed after it was written; remove it to count looks from the start");
  try {
    return (json.is_array() ? json : json.at("looks")).get<Looks>();  // older ones are the lists
  } catch (const Json::exception&) {
    throw base::Error(base::concat(
        file.string(), ": not lists of seeds; remove it to count looks from the start"));
  }
}

}  // namespace

StudyRuns::StudyRuns(Study study, Store store, bool other_builds, const std::filesystem::path& out)
    : StudyRuns(std::move(study), std::move(store), other_builds, out, {}) {}

StudyRuns::StudyRuns(Study study, Store store, bool other_builds, const std::filesystem::path& out,
                     Tasks tasks)
    : study_(std::move(study)),
      store_(std::move(store)),
      other_builds_(other_builds),
      out_(out),
      tasks_(std::move(tasks)) {
  validate(study_);
  std::vector<std::string> data;
  for (std::size_t cell = 0; cell < study_.cells.size(); ++cell) {
    auto& task = tasks_[data_key(cell)];
    if (!task) task = train::load_task(settings_at(study_, {cell, 0, 0, 0}));
    data.push_back(task->data_hash());
  }
  identity_ = lab::identity(study_, data);
  points_ = lab::points(study_);
  // A run with a budget in seconds belongs to this study, on this machine and in this folder.
  const std::string owner = fingerprint(
      {host(), std::filesystem::absolute(study_path(out, identity_)).lexically_normal().string()});
  std::vector<RunSpec> specs(points_.size());
  std::vector<std::string> ids(points_.size());
  base::for_each_at_once(
      points_.size(), [&](std::size_t i) { specs[i].settings = settings_at(study_, points_[i]); });
  std::map<std::string, std::string> inits;  // weights may be large: each file is read once
  for (const RunSpec& spec : specs)
    if (const auto [at, added] = inits.try_emplace(spec.settings.init_from); added)
      at->second = init_hash(at->first);
  base::for_each_at_once(points_.size(), [&](std::size_t i) {
    RunSpec& spec = specs[i];
    spec.data = data[points_[i].cell];
    spec.init = inits.at(spec.settings.init_from);
    spec.numerics = study_.numerics;
    if (!train::run_budget(spec.settings).fixed_steps()) spec.owner = owner;
    ids[i] = run_id(spec);
  });
  std::vector<std::size_t> first;  // places of each run's first point
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const auto [run, added] = runs_.try_emplace(ids[i], Run{std::move(specs[i]), nullptr});
    if (added) first.push_back(i);
    at_.emplace(points_[i], run);
  }
  std::vector<std::optional<RunRecord>> found(first.size());
  base::for_each_at_once(first.size(),
                         [&](std::size_t i) { found[i] = store_.find(ids[first[i]]); });
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!found[i]) continue;
    const std::string& id = ids[first[i]];
    const std::uint64_t seed = points_[first[i]].seed;
    base::require(found[i]->seed == seed, store_.record_file(id).string(), ": has seed ",
                  found[i]->seed, " of a run of seed ", seed,
                  "; remove this file to make the run again");
    if (usable(*found[i], other_builds_))
      runs_.at(id).record = std::make_shared<const RunRecord>(std::move(*found[i]));
    else
      ++outdated_;
  }
}

std::string StudyRuns::data_key(std::size_t cell) const {
  const train::Settings s = settings_at(study_, {cell, 0, 0, 0});
  Json key = Json::array();
  for (const train::Row& row : train::settings_table())
    // A window's Bayes loss depends on the block size; a stretch is cut out later.
    if (row.name == "block_size" ||
        (row.group == train::Group::kData && row.name != "unique_tokens"))
      key.push_back(train::value_text(s, row));
  return base::json_compact(key);
}

RecordPtr StudyRuns::record(const Point& point) const {
  const auto it = at_.find(point);
  return it == at_.end() ? nullptr : it->second->second.record;
}

std::vector<Point> StudyRuns::missing() const {
  std::vector<Point> missing;
  std::set<std::string> seen;
  for (const Point& point : points_)
    if (!record(point) && seen.insert(id(point)).second) missing.push_back(point);
  return missing;
}

std::string StudyRuns::first_failure() const {
  for (const Point& point : points_)
    if (const RecordPtr found = record(point); found && found->status == Status::kFailed)
      return fmt::format("{}: {}", label(point), found->error);
  return "";
}

void StudyRuns::check(std::int64_t at_once) const {
  for (std::size_t cell = 0; cell < study_.cells.size(); ++cell)
    for (std::size_t arm = 0; arm < study_.arms.size(); ++arm)
      for (std::size_t share = 0; share < study_.shares.size(); ++share)
        if (share == 0 || arm == 0 || study_.all_at_shares)
          train::check_run(settings_at(study_, {cell, arm, share, 0}), task(cell));
  if (missing().empty() || at_once == 0) return;
  const auto bytes = static_cast<double>(run_memory());
  const auto available = static_cast<double>(base::available_memory());
  if (available == 0 || static_cast<double>(at_once) * bytes <= available) return;
  engine::require_memory(bytes, "this model and batch");
  throw base::Error(fmt::format(
      "--jobs {}: out of memory: {} runs at once need {:.1f} GB and only {:.1f} GB are free; "
      "give --jobs {}",
      at_once, at_once, static_cast<double>(at_once) * bytes / 1e9, available / 1e9,
      std::floor(available / bytes)));
}

std::size_t StudyRuns::run_memory() const {
  std::size_t most = 0;
  std::set<std::pair<std::size_t, std::size_t>> seen;
  for (const Point& p : missing()) {
    if (!seen.insert({p.cell, p.arm}).second) continue;  // seeds and shares need the same
    const train::RunPlan plan(settings_at(study_, p), task(p.cell));
    most = std::max(most, plan.memory.total());
  }
  return most;
}

void StudyRuns::need_weights() {
  needs_weights_ = true;
  for (auto& [id, run] : runs_)
    if (run.record && run.record->ok() && !std::filesystem::exists(store_.weights_file(id)))
      run.record = nullptr;
}

void StudyRuns::make(const Workers& workers, const RunEvents& events) {
  const std::vector<Point> left = missing();
  if (left.empty()) return;
  std::size_t number = count() - left.size();
  if (number > 0 && events.note)
    events.note(fmt::format("going on: {} of {} {} done", number, base::counted(count(), "run"),
                            base::are(number)));
  std::vector<RunRequest> requests;
  for (const Point& point : left) {
    requests.push_back({id(point), ++number, label(point)});
    store_.add_spec(spec(id(point)));
  }
  RunEvents forwarded = events;
  forwarded.done = [&](const RunRecord& record) {
    Run& run = runs_.at(record.id);
    auto kept = std::make_shared<RunRecord>(record);
    kept->seed = run.spec.settings.seed;
    run.record = kept;
    if (events.done) events.done(*kept);
  };
  execute(requests, store_, workers, forwarded);
}

int count_look(const StudyRuns& runs) {
  std::map<std::string, std::set<std::string>> seeds;              // seen by each question
  std::map<std::pair<std::size_t, std::size_t>, std::string> ask;  // by cell and arm
  std::set<std::string> withheld;
  for (const Point& p : runs.points()) {
    if (p.arm == 0 || p.share != 0) continue;  // verdicts are on the whole budget
    const Point baseline{p.cell, 0, 0, p.seed};
    const RecordPtr mine = runs.record(p), theirs = runs.record(baseline);
    if (mine == nullptr || theirs == nullptr) continue;
    std::string& asked = ask[{p.cell, p.arm}];
    if (asked.empty()) asked = question(runs, p, baseline);
    if (!mine->ok() || !theirs->ok()) withheld.insert(asked);
    seeds[asked].insert(std::to_string(p.seed));
  }
  for (const std::string& asked : withheld) seeds.erase(asked);  // no verdict is shown on them
  std::erase_if(seeds, [](const auto& s) { return s.second.size() < 2; });  // too few to tell
  if (seeds.empty()) return 1;
  const std::filesystem::path folder = runs.store().root() / "looks";
  base::refuse_link(folder);
  base::make_folder(folder);
  RunLock lock(folder);  // or two commands would each forget the other's look
  if (!lock.held()) lock.wait();
  std::size_t most = 1;
  for (const auto& [name, seen] : seeds) {
    const std::filesystem::path file = folder / (name + ".json");
    Looks looks = read(file);
    std::set<std::string> before;
    for (const auto& look : looks) before.insert(look.begin(), look.end());
    if (!std::includes(before.begin(), before.end(), seen.begin(), seen.end())) {
      looks.push_back(seen);
      base::write_json(file, sealed({{"looks", looks}}));
    }
    most = std::max(most, looks.size());
  }
  return static_cast<int>(most);
}

}  // namespace lab
