#include "lab/runs/make.h"

#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "lab/runs/measures.h"
#include "train/run.h"
#include "train/storage/initial_weights.h"
#include "train/storage/run_files.h"
#include "train/storage/safetensors.h"

namespace lab {
namespace fs = std::filesystem;

bool usable(const RunRecord& record, bool other_build) {
  return other_build || record.build.computes_like(this_build());
}

std::optional<RunRecord> find_made(const Store& store, const std::string& id,
                                   const MakeOptions& options) {
  auto record = store.find(id);
  if (!record || !usable(*record, options.other_build)) return {};
  if (options.keep_weights && record->ok() && !fs::exists(store.weights_file(id))) return {};
  return record;
}

std::unique_ptr<train::Task> load_checked(const RunSpec& spec) {
  train::refuse_pipes(spec.settings, "the spec");
  std::unique_ptr<train::Task> task = train::load_task(spec.settings);
  const std::string hash = task->data_hash(),
                    &text = spec.settings.text.empty() ? spec.settings.csv : spec.settings.text;
  base::require(hash == spec.data, text.empty() ? "the data" : text,
                ": not what the run was planned for (hash ", hash, ", not ", spec.data,
                "), which has changed since; plan it again");
  if (spec.settings.init_from.empty()) return task;
  const std::string init = train::read_initial_weights(spec.settings.init_from).hash;
  base::require(init == spec.init, spec.settings.init_from,
                ": not the weights the run was planned for (hash ", init, ", not ", spec.init,
                "), which have changed since; plan it again");
  return task;
}

namespace {

/// Trains and measures; `weights` is shown those of a run that has not diverged.
train::RunResult train_model(const train::Settings& settings, const train::Task& task,
                             const std::vector<train::Sink*>& sinks,
                             const std::function<void(const engine::Params&)>& weights) {
  if (settings.members > 1) return train::run_ensemble(settings, task, sinks);
  train::Trainer trainer(settings, task);
  train::RunResult result = train::run(trainer, sinks);
  if (result.diverged) return result;
  result.measured = measure(trainer, task);
  weights(trainer.params());
  return result;
}

}  // namespace

Made make_run(const RunSpec& spec, const Store& store, const MakeOptions& options,
              const MakeEvents& events) {
  base::require(!options.keep_weights || spec.settings.members == 1,
                "members=", spec.settings.members,
                " with --keep-weights: an ensemble has no weights to be "
                "kept; leave out one of them");
  const std::string id = run_id(spec);
  const fs::path weights = store.weights_file(id);
  const auto there = [&]() -> std::optional<Made> {
    auto record = find_made(store, id, options);
    return record ? std::optional(Made{Made::How::kWasThere, std::move(*record)}) : std::nullopt;
  };
  if (auto made = there()) return *made;
  base::make_folder(store.folder(id));
  RunLock lock(store.folder(id));
  if (!lock.held()) {
    if (!options.wait) return {Made::How::kBusy, {}};
    if (events.waiting) events.waiting();
    lock.wait();
  }
  if (auto made = there()) return *made;  // while we waited
  store.add_spec(spec, lock);
  std::error_code none;
  if (!options.keep_weights) fs::remove(weights, none);  // of another build

  const std::unique_ptr<train::Task> task = load_checked(spec);
  train::check_run(spec.settings, *task);
  train::JsonLines<base::AtomicFile> metrics(store.folder(id) / "metrics.jsonl",
                                             task->constants().val_bytes_per_token);
  train::CallSink told([&](const train::Progress& p) {
    if (events.progress) events.progress(p);
  });
  const train::RunResult result =
      train_model(spec.settings, *task, {&metrics, &told}, [&](const engine::Params& params) {
        if (!options.keep_weights) return;
        train::write_safetensors(weights, params, {{"run", id}});
      });
  metrics.commit();
  Made made{Made::How::kMade, make_record(result, *task, this_machine(spec.settings.threads))};
  made.record.id = id;
  made.record.seed = spec.settings.seed;
  store.save(made.record);
  return made;
}

}  // namespace lab
