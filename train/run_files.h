// The files of one run's folder: config.json, environment.json, metrics.jsonl, and when it is
// through model.safetensors.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "train/files.h"
#include "train/safetensors.h"
#include "train/settings.h"
#include "train/trainer.h"

namespace train {

class RunFiles {
 public:
  /// Creates the folder and writes what is known at the start. Throws engine::Error.
  RunFiles(const std::filesystem::path& folder, const Settings& settings,
           const nlohmann::ordered_json& environment);

  /// One line: step, tokens, FLOPs, seconds, train loss (running, regularizers on), validation loss
  /// in nats per token and bits per byte (null between evaluations), learning rate, gradient norm.
  void metrics(const Progress& progress, double val_bytes_per_token);

 private:
  LineFile metrics_;
};

class MetricsFile {
 public:
  explicit MetricsFile(const std::filesystem::path& path) : file_(path) {}
  void write(const Progress& p, double val_bytes_per_token);
  void commit() { file_.commit(); }

 private:
  AtomicFile file_;
};

/// What a finished run left: its settings and its weights.
struct SavedRun {
  Settings settings;
  TensorFile weights;
};

/// Reads them, trusting nothing. Throws engine::Error naming the folder or the file, and what makes
/// one.
SavedRun read_run(const std::filesystem::path& folder);

/// Bits per byte of a loss in nats per token.
double bits_per_byte(double nats, double bytes_per_token);

}  // namespace train
