#include "lab/runs/make.h"

#include <optional>

#include "engine/error.h"
#include "train/data/language_modelling.h"
#include "train/data/load_corpus.h"
#include "train/files.h"
#include "train/run_files.h"
#include "train/safetensors.h"

namespace lab {
namespace fs = std::filesystem;

bool usable(const RunRecord& record, bool other_build) {
  return other_build || record.build.computes_like(this_build());
}

train::Corpus load_checked(const RunSpec& spec) {
  train::Corpus corpus = train::load_corpus(spec.settings);
  const std::string hash = data_hash(corpus);
  engine::require(hash == spec.data, corpus.name,
                  ": is not the data that the run was planned for (hash ", hash, ", not ",
                  spec.data, "): the file has changed since; plan it anew");
  return corpus;
}

Made make_run(const RunSpec& spec, const Store& store, const MakeOptions& options,
              const std::function<void(const train::Progress&)>& report) {
  const std::string id = run_id(spec);
  const auto there = [&]() -> std::optional<Made> {
    auto record = store.find(id);
    if (!record || !usable(*record, options.other_build)) return {};
    return Made{Made::How::kWasThere, std::move(*record)};
  };
  if (auto made = there()) return *made;
  store.add_spec(spec);
  const RunLock lock(store.folder(id), options.wait);
  if (!lock.held()) return {Made::How::kBusy, {}};
  if (auto made = there()) return *made;  // while we waited
  train::remove_temporaries(store.folder(id));

  const train::LanguageModelling task(load_checked(spec));
  const train::Corpus& corpus = task.corpus();
  train::check_run(spec.settings, task);
  train::Trainer trainer(spec.settings, task);
  train::WholeJsonLines metrics(store.folder(id) / "metrics.jsonl", corpus.val_bytes_per_token);
  train::CallSink told([&](const train::Progress& p) {
    if (report) report(p);
  });
  const train::RunResult result = train::run(trainer, {&metrics, &told});
  metrics.commit();
  if (options.keep_weights && !result.diverged)
    train::write_safetensors(store.folder(id) / "model.safetensors", trainer.params(),
                             {{"run", id}});
  Made made{Made::How::kMade,
            make_record(result, corpus, "lm", this_machine(spec.settings.threads))};
  made.record.id = id;
  made.record.seed = spec.settings.seed;
  store.save(made.record);
  return made;
}

}  // namespace lab
