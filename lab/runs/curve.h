// How a run went: its metrics.jsonl, read back.
#pragma once
#include <filesystem>
#include <optional>
#include <vector>

#include "base/open_file.h"

namespace lab {

struct CurvePoint {
  double step = 0, flops = 0;
  std::optional<double> train_loss;  // nats per token, running mean, regularizers on
  std::optional<double> val_loss;    // nats per token, where it was evaluated
};

/// Empty where there is no such file; a last line that is still being written is left out. Trusts
/// nothing; throws base::Error naming the file and the line.
std::vector<CurvePoint> read_curve(const std::filesystem::path& file,
                                   base::Whose whose = base::Whose::kRun);

}  // namespace lab
