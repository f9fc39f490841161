#include "lab/study/study_runs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/at_once.h"
#include "base/error.h"
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
  // A run of so many seconds is this study's own, here and in its folder.
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
    base::require(found[i]->seed == seed, store_.record_file(id).string(), ": says seed ",
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
    // A window's Bayes loss hangs on the block size; a stretch is cut out later.
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
      "--jobs {}: out of memory: so many runs at once need {:.1f} GB and only {:.1f} GB are free; "
      "give --jobs {}",
      at_once, static_cast<double>(at_once) * bytes / 1e9, available / 1e9,
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
    events.note(fmt::format("going on: {} of {} runs are done", number, count()));
  std::vector<RunRequest> requests;
  for (const Point& point : left) {
    requests.push_back({id(point), ++number, label(point)});
    store_.add_spec(spec(id(point)));
  }
  RunEvents told = events;
  told.done = [&](const RunRecord& record) {
    Run& run = runs_.at(record.id);
    auto kept = std::make_shared<RunRecord>(record);
    kept->seed = run.spec.settings.seed;
    run.record = kept;
    if (events.done) events.done(*kept);
  };
  execute(requests, store_, workers, told);
}

}  // namespace lab
