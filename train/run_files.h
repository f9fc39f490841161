// The files of one run's folder: config.json, environment.json, metrics.jsonl.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "train/files.h"
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

/// Bits per byte of a loss in nats per token.
double bits_per_byte(double nats, double bytes_per_token);

}  // namespace train
