// Fills a store with made-up records of all runs of a study, as fast as the disk takes them: what
// benchmarks/store.sh measures lists, collects and reports. No run is made.
//   fill_store STUDY.toml STORE
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "engine/rng.h"
#include "lab/runs/measures.h"
#include "lab/runs/metrics.h"
#include "lab/study/study_file.h"
#include "lab/study/study_runs.h"

namespace {

/// Losses that hang on the arm and the seed, and windows as a run of `tiny` has them.
lab::RunRecord record_of(const lab::StudyRuns& runs, const lab::Point& point) {
  engine::Sequence random(engine::stream_key(point.seed, engine::Stream::kSample),
                          engine::site_id("fill_store"));
  const auto noise = [&] { return static_cast<double>(random.below(1000)) / 1e4; };
  lab::RunRecord record;
  record.id = runs.id(point);
  record.seed = point.seed;
  record.build = lab::this_build();
  record.machine = {"made up", 1};
  for (const lab::Metric& metric : lab::metrics())
    if (metric.task.empty() || metric.task == "lm") record.values.set(metric, 1);
  for (const char* loss : {"val_loss", "test_loss", "train_loss"})
    record.values.set(loss, 2 + 0.01 * static_cast<double>(point.arm) + noise());
  for (auto* windows : {&record.val_windows, &record.test_windows})
    for (int i = 0; i < 64; ++i) windows->push_back(static_cast<float>(2 + noise()));
  return record;
}

void write(const std::filesystem::path& file, const lab::Json& json) {
  std::ofstream out(file);
  out << json.dump(2) << '\n';
  base::require(static_cast<bool>(out.flush()), "cannot write ", file.string());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    base::require(argc == 3, "give a study file and a store");
    const lab::Store store(argv[2]);
    const lab::StudyRuns runs(lab::read_study_file(argv[1], false).study, store, false);
    for (const lab::Point& point : runs.missing()) {
      const lab::RunRecord record = record_of(runs, point);
      std::filesystem::create_directories(store.folder(record.id));
      write(store.spec_file(record.id), lab::to_json(runs.spec(record.id)));
      write(store.record_file(record.id), lab::to_stored_json(record));
      std::ofstream log(store.folder(record.id) / "metrics.jsonl");
      for (int step = 10; step <= 100; step += 10)
        log << lab::Json{{"step", step},    {"tokens", step * 1e3}, {"flops", step * 1e9},
                         {"seconds", step}, {"train_loss", 2.5},    {"val_loss", 2.5},
                         {"val_bpb", 1.5},  {"lr", 0.004},          {"grad_norm", 1}}
                   .dump()
            << '\n';
      std::ofstream(store.folder(record.id) / "lock");
    }
    std::printf("%zu runs\n", runs.count());
  } catch (const base::Error& e) {
    std::fprintf(stderr, "fill_store: %s\n", e.what());
    return 2;
  }
}
