// Runs by their id: one folder each, shared by whatever makes or reads runs.
//
//   <root>/<id>/spec.json       what it is
//               record.json     what came of it; there once it is whole
//               metrics.jsonl   how it went
//               model.safetensors  its weights, where they were kept
//               lock            held (flock) by the process that is making it
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/open_file.h"
#include "lab/runs/record.h"
#include "lab/runs/spec.h"

namespace lab {

/// $ISODROP_STORE, or out/runs.
std::filesystem::path default_store();

using base::RunLock;

class Store {
 public:
  /// Looks at nothing and writes nothing.
  explicit Store(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path folder(const std::string& id) const { return root_ / id; }
  std::filesystem::path spec_file(const std::string& id) const { return folder(id) / "spec.json"; }
  std::filesystem::path record_file(const std::string& id) const {
    return folder(id) / "record.json";
  }
  std::filesystem::path weights_file(const std::string& id) const {
    return folder(id) / "model.safetensors";
  }

  /// Throws base::Error where a link is in the place of the run's folder: before anything is
  /// written. What reads from there opens it as Whose::kRun, which a link put there since is none.
  void require_own(const std::string& id) const { base::refuse_link(folder(id)); }
  /// The record of a run that is done: this build's if there is one, else the last that was
  /// made. Throws base::Error if it cannot be read or is another run's.
  std::optional<RunRecord> find(const std::string& id) const;
  /// Writes spec.json where it is not there as it should be (the text may lie elsewhere by now),
  /// unless another process holds the run's lock. Throws base::Error.
  void add_spec(const RunSpec& spec) const;
  /// The same for the holder of the lock; removes what a killed writer left half done.
  void add_spec(const RunSpec& spec, const RunLock& held) const;
  /// REQUIRES: the caller holds the run's lock. The record of another build is kept beside it,
  /// under that build's key, and is that build's again.
  void save(const RunRecord& record) const;

 private:
  std::optional<RunRecord> read(const std::filesystem::path& file, const std::string& id) const;
  std::filesystem::path file_of(const std::string& id, const Build& build) const {
    return folder(id) / ("record-" + build.key() + ".json");
  }

  std::filesystem::path root_;
};

struct CurvePoint {
  double step = 0, flops = 0;
  std::optional<double> train_loss;  // nats per token, running mean, regularizers on
  std::optional<double> val_loss;    // nats per token, where it was evaluated
};

/// Empty if there is no such file; a last line that is still being written is left out. Trusts
/// nothing; throws base::Error naming the file and the line.
std::vector<CurvePoint> read_curve(const std::filesystem::path& file,
                                   base::Whose whose = base::Whose::kRun);

}  // namespace lab
