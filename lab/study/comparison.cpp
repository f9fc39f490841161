#include "lab/study/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/buffer.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "isodrop_version.h"
#include "lab/runs/environment.h"
#include "train/run_files.h"

namespace lab {
namespace {

using train::Budget;
using train::Settings;

double tokens_per_step(const Settings& s) {
  return static_cast<double>(s.batch) * static_cast<double>(s.block_size);
}

Json identity(const ComparisonSpec& spec, const train::Corpus& corpus) {
  Json settings = train::to_json(spec.base);
  for (const char* key : {"seed", "text", "val"}) settings.erase(key);
  // Neither changes a bit of the results, but for a budget of time.
  if (Budget::parse(spec.base.budget).fixed_steps())
    for (const char* key : {"threads", "recompute"}) settings.erase(key);
  Json arms = Json::array();
  for (const Arm& arm : spec.arms) {
    Json overrides = Json::object();
    for (const auto& [name, value] : arm.overrides) overrides[name] = value;
    arms.push_back({{"name", arm.name}, {"overrides", overrides}});
  }
  return {{"isodrop", ISODROP_VERSION},
          {"corpus", fmt::format("{:016x}", corpus.hash)},
          {"settings", settings},
          {"arms", arms},
          {"epochs", spec.epochs}};
}

std::filesystem::path folder_of(const ComparisonSpec& spec, const Json& identity) {
  if (!spec.out.empty()) return spec.out;
  return std::filesystem::path("out") / ("compare-" + fingerprint(identity).substr(0, 12));
}

Settings in_cell(Settings s, const Cell& cell) {
  s.unique_tokens = cell.unique_tokens.value_or(s.unique_tokens);
  return s;
}

std::string cell_name(const Cell& cell) {
  return cell.epochs ? fmt::format("epochs-{}", *cell.epochs) : "crops";
}

}  // namespace

std::vector<Cell> plan_cells(const ComparisonSpec& spec, std::int64_t vocab) {
  if (spec.epochs.empty()) return {Cell{}};
  const Settings& first = spec.arms.front().settings;
  const Budget budget = Budget::parse(first.budget);
  engine::require(budget.kind != Budget::Kind::kSeconds && budget.kind != Budget::Kind::kEpochs,
                  "--epochs with --budget ", budget.to_string(),
                  ": the unique data is sized by the tokens of the budget, which ",
                  budget.kind == Budget::Kind::kSeconds ? "seconds" : "epochs",
                  " do not fix; give the budget in flops, tokens or steps");
  const double step = tokens_per_step(first);
  const double flops = step * models::flops_per_token(train::gpt_config(first, vocab));
  const double tokens = static_cast<double>(budget.steps_for(step, flops, 1)) * step;
  std::vector<Cell> cells;
  for (const std::int64_t epochs : spec.epochs) {
    engine::require(std::count(spec.epochs.begin(), spec.epochs.end(), epochs) == 1, "--epochs ",
                    epochs, ": given twice");
    const auto unique = static_cast<std::int64_t>(tokens / static_cast<double>(epochs));
    engine::require(unique > first.block_size, "--epochs ", epochs, ": leaves ", unique,
                    " unique tokens of a budget of ", static_cast<std::int64_t>(tokens),
                    ", less than one window of ", first.block_size + 1,
                    "; ask for fewer epochs or a larger budget");
    cells.push_back({epochs, unique});
  }
  return cells;
}

Comparison::Comparison(ComparisonSpec spec, const train::Corpus& corpus)
    : spec_(std::move(spec)), corpus_(corpus), cells_(plan_cells(spec_, corpus.vocab)), store_([&] {
        const Json id = identity(spec_, corpus_);
        return RunStore(folder_of(spec_, id), id);
      }()) {
  for (const RunKey& key : keys())
    if (auto record = store_.load(folder(key))) store_.records[key] = *record;
}

void Comparison::check(std::int64_t at_once) const {
  for (const Cell& cell : cells_)
    for (const Arm& arm : spec_.arms) train::check_run(in_cell(arm.settings, cell), corpus_);
  if (missing().empty()) return;
  const auto bytes = static_cast<double>(run_memory());
  const auto available = static_cast<double>(engine::available_memory());
  if (available == 0 || static_cast<double>(at_once) * bytes <= available) return;
  engine::require_memory(bytes, "this model and batch");
  const double fit = std::floor(available / bytes);
  throw engine::Error(fmt::format(
      "--jobs {}: out of memory: so many runs at once need {:.1f} GB and only {:.1f} GB are free; "
      "give --jobs {}",
      at_once, static_cast<double>(at_once) * bytes / 1e9, available / 1e9, fit));
}

std::size_t Comparison::run_memory() const {
  std::size_t most = 0;
  std::set<std::size_t> seen;
  for (const RunKey& key : missing()) {
    if (!seen.insert(key.arm).second) continue;  // cells, seeds and shares need the same
    const train::Trainer plan(settings(key), corpus_, train::Trainer::Make::kPlan);
    most = std::max(most, plan.memory().allocated() + plan.memory().program);
  }
  return most;
}

std::vector<RunKey> Comparison::keys() const {
  std::vector<RunKey> keys;
  for (std::int64_t s = 0; s < spec_.seeds; ++s) {
    const std::int64_t seed = spec_.base.seed + s;
    for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
      for (std::size_t arm = 0; arm < spec_.arms.size(); ++arm)
        keys.push_back({cell, arm, seed, 1});
      if (!spec_.equivalent) continue;
      for (const double share : kShares) keys.push_back({cell, 0, seed, share});
    }
  }
  return keys;
}

Settings Comparison::settings(const RunKey& key) const {
  Settings s = in_cell(spec_.arms[key.arm].settings, cells_[key.cell]);
  s.seed = key.seed;
  s.budget_share *= key.share;
  return s;
}

std::string Comparison::label(const RunKey& key) const {
  const Cell& cell = cells_[key.cell];
  std::string text = cell.epochs ? fmt::format("epochs {} · ", *cell.epochs) : "";
  text += fmt::format("{} · seed {}", spec_.arms[key.arm].name, key.seed);
  if (key.share != 1) text += fmt::format(" · {} × budget", key.share);
  return text;
}

std::filesystem::path Comparison::folder(const RunKey& key) const {
  return store_.run_folder(cell_name(cells_[key.cell]), spec_.arms[key.arm].name, key);
}

std::vector<RunKey> Comparison::missing() const {
  std::vector<RunKey> missing = keys();
  std::erase_if(missing, [&](const RunKey& key) { return store_.records.contains(key); });
  return missing;
}

std::string Comparison::resumed() const {
  const std::size_t all = keys().size(), left = missing().size();
  if (left == 0 || left == all) return "";
  return fmt::format("going on in {}: {} of {} runs are done", store_.folder().string(), all - left,
                     all);
}

RunRecord Comparison::make_run(const RunKey& key, const RunEvents& events) const {
  const Settings settings = this->settings(key);
  train::Trainer trainer(settings, corpus_);
  train::RunFiles files(folder(key), settings, environment(engine::max_threads()));
  const train::RunResult result = trainer.run([&](const train::Progress& p) {
    files.metrics(p, corpus_.val_bytes_per_token);
    if (events.progress) events.progress(p);
  });
  const RunRecord record = to_record(result, key.seed);
  store_.save(folder(key), record);
  if (result.diverged && events.note)
    events.note(fmt::format("{}: diverged at step {} (learning rate {:.3g})", label(key),
                            result.diverged_at, result.diverged_lr));
  return record;
}

void Comparison::fail(const RunKey& key, const std::string& reason,
                      const ComparisonEvents& events) {
  if (events.note)
    events.note(
        fmt::format("{}: failed: {}; the same command trains it again", label(key), reason));
  RunRecord record;
  record.seed = key.seed;
  record.status = "failed";
  record.error = reason;
  store_.records[key] = record;
}

void Comparison::run(const ComparisonEvents& events) {
  check();
  create();
  if (const std::string text = resumed(); events.note && !text.empty()) events.note(text);
  const std::vector<RunKey> left = missing();
  const std::size_t count = keys().size();
  std::size_t done = count - left.size();
  for (const RunKey& key : left) {
    RunEvents mine{events.note, [&](const train::Progress& p) {
                     const RunningRun now{done + 1, label(key), p};
                     if (events.progress) events.progress(done, count, {&now, 1});
                   }};
    try {
      store_.records[key] = make_run(key, mine);
    } catch (const std::exception& e) {
      fail(key, e.what(), events);
    }
    ++done;
  }
}

}  // namespace lab
