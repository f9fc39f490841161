// metrics.jsonl: a line of JSON for every report.
#pragma once
#include <filesystem>
#include <optional>

#include "base/files.h"
#include "train/log/sink.h"

namespace train {

/// Bits per byte of a loss in nats per token.
double bits_per_byte(double nats, double bytes_per_token);

/// A line of the log: step, tokens, FLOPs, seconds, train loss (running, regularizers on),
/// validation loss in nats per token and bits per byte (null between evaluations), learning rate,
/// gradient norm. `bytes_per_token`: of the validation split; without it there are no bits per
/// byte.
std::string json_line(const Progress& progress, const std::optional<double>& bytes_per_token);

/// The lines in a LineFile, which grows with the run, or an AtomicFile, which is there from
/// commit() on. Throws base::Error where the file cannot be written.
template <class File>
class JsonLines final : public Sink {
 public:
  /// `how`: what the file's constructor takes besides.
  template <class... How>
  JsonLines(const std::filesystem::path& path, std::optional<double> bytes_per_token, How... how)
      : file_(path, how...), bytes_per_token_(bytes_per_token) {}
  void progress(const Progress& p) override {
    file_.write(json_line(p, bytes_per_token_));
    if constexpr (requires { file_.flush(); }) file_.flush();  // `isodrop runs` says how far it is
  }
  void commit() { file_.commit(); }

 private:
  File file_;
  std::optional<double> bytes_per_token_;
};

}  // namespace train
