// Trains every arm for the same budget on paired seeds, keeps what is done in a folder, and goes on
// where it was stopped.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/runs/run_store.h"
#include "lab/study/arm.h"
#include "train/data/corpus.h"
#include "train/trainer.h"

namespace lab {

struct ComparisonSpec {
  train::Settings base;
  std::vector<Arm> arms;  // the first is the baseline
  std::int64_t seeds = 7;
  std::vector<std::int64_t>
      epochs;                 // a cell each; empty: one cell, random crops of the whole split
  bool equivalent = false;    // the first arm at other budgets too
  double margin = 0.01;       // nats
  std::filesystem::path out;  // empty: a folder named after the identity
};

/// Shares of the budget at which `--equivalent` trains the first arm, besides 1.
inline constexpr double kShares[] = {0.25, 0.5, 2};

/// One cell of the table: how often the unique data is repeated.
struct Cell {
  std::optional<std::int64_t> epochs, unique_tokens;
};

/// A run that is being made and has said where it is.
struct RunningRun {
  std::size_t number = 0;  // from 1, of all runs
  std::string label;       // "epochs 32 · dropout=0.1 · seed 3"
  train::Progress progress;
};

/// What the caller shows while runs are made.
struct ComparisonEvents {
  std::function<void(const std::string&)> note;  // a line that stays
  /// Runs that are done, runs in all, and those being made, by number.
  std::function<void(std::size_t, std::size_t, std::span<const RunningRun>)> progress;
};

/// What one run has to say.
struct RunEvents {
  std::function<void(const std::string&)> note;
  std::function<void(const train::Progress&)> progress;
};

class Comparison {
 public:
  /// Reads which runs are done, and writes nothing. Throws engine::Error where arms, budget and
  /// unique data do not go together, or the folder holds anything but this very comparison.
  Comparison(ComparisonSpec spec, const train::Corpus& corpus);

  /// Throws engine::Error where the missing runs cannot be made: a budget below one step, too
  /// little data, or too little memory for the largest of them `at_once` times.
  void check(std::int64_t at_once = 1) const;

  /// Makes the folder, if there is none. Throws engine::Error.
  void create() { store_.create(); }

  /// Makes the missing runs in this process, one after the other. A run that fails or diverges is
  /// noted; the others go on.
  void run(const ComparisonEvents& events);

  /// Makes one run and keeps it. Throws whatever keeps it from being made.
  RunRecord make_run(const RunKey& key, const RunEvents& events) const;
  /// Notes a run that could not be made. It is not kept, so the same command tries it again.
  void fail(const RunKey& key, const std::string& reason, const ComparisonEvents& events);

  const ComparisonSpec& spec() const { return spec_; }
  const train::Corpus& corpus() const { return corpus_; }
  const std::vector<Cell>& cells() const { return cells_; }
  const RunStore& store() const { return store_; }
  RunStore& store() { return store_; }
  /// All runs there must be, in the order they are made: seed by seed, so that every arm has the
  /// same number when it is stopped early.
  std::vector<RunKey> keys() const;
  /// Those of them that have no record yet.
  std::vector<RunKey> missing() const;
  std::string label(const RunKey& key) const;
  std::filesystem::path folder(const RunKey& key) const;
  /// The settings of one run.
  train::Settings settings(const RunKey& key) const;
  /// Bytes the largest missing run takes at its peak in a process that has the corpus already.
  std::size_t run_memory() const;
  /// "going on in out/x: 3 of 12 runs are done"; empty where none or all are.
  std::string resumed() const;

 private:
  ComparisonSpec spec_;
  const train::Corpus& corpus_;
  std::vector<Cell> cells_;
  RunStore store_;
};

/// Unique tokens of each cell, for sizing a corpus before it is made. Throws engine::Error where
/// the budget has no fixed number of tokens.
std::vector<Cell> plan_cells(const ComparisonSpec& spec, std::int64_t vocab);

}  // namespace lab
