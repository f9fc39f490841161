// metrics.jsonl: a line of JSON for every report.
#pragma once
#include <filesystem>
#include <optional>

#include "train/files.h"
#include "train/log/sink.h"

namespace train {

/// Bits per byte of a loss in nats per token.
double bits_per_byte(double nats, double bytes_per_token);

class JsonLines final : public Sink {
 public:
  /// `bytes_per_token`: of the validation split; without it there are no bits per byte. Throws
  /// engine::Error where the file cannot be written.
  JsonLines(const std::filesystem::path& path, std::optional<double> bytes_per_token)
      : file_(path), bytes_per_token_(bytes_per_token) {}

  /// Step, tokens, FLOPs, seconds, train loss (running, regularizers on), validation loss in nats
  /// per token and bits per byte (null between evaluations), learning rate, gradient norm.
  void progress(const Progress& progress) override;

 private:
  LineFile file_;
  std::optional<double> bytes_per_token_;
};

/// The same lines in a file that is there once it is whole.
class WholeJsonLines final : public Sink {
 public:
  WholeJsonLines(const std::filesystem::path& path, std::optional<double> bytes_per_token)
      : file_(path), bytes_per_token_(bytes_per_token) {}
  void progress(const Progress& progress) override;
  void commit() { file_.commit(); }

 private:
  AtomicFile file_;
  std::optional<double> bytes_per_token_;
};

}  // namespace train
