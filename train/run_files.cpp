#include "train/run_files.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "engine/error.h"
#include "engine/suggest.h"

namespace train {
namespace {

std::filesystem::path prepare(const std::filesystem::path& folder, const Settings& settings,
                              const nlohmann::ordered_json& environment) {
  make_folder(folder);
  write_json(folder / "config.json", to_json(settings));
  write_json(folder / "environment.json", environment);
  return folder / "metrics.jsonl";
}

}  // namespace

SavedRun read_run(const std::filesystem::path& folder) {
  const auto config = folder / "config.json", weights = folder / "model.safetensors";
  const std::string name = engine::quote(folder.string());
  std::error_code ignored;  // what is not there is not a folder
  engine::require(std::filesystem::is_directory(folder, ignored), name,
                  ": no such folder; give the one that 'isodrop train --out DIR' wrote");
  engine::require(std::filesystem::exists(config, ignored), name,
                  ": holds no run (no config.json); give a folder that 'isodrop train --out DIR' "
                  "wrote");
  engine::require(std::filesystem::exists(weights, ignored), name,
                  ": holds no weights (no model.safetensors): the run was stopped or diverged; "
                  "train again");
  return {from_json(read_json(config), config.string()), read_safetensors(weights)};
}

double bits_per_byte(double nats, double bytes_per_token) {
  return nats / (bytes_per_token * std::numbers::ln2);
}

RunFiles::RunFiles(const std::filesystem::path& folder, const Settings& settings,
                   const nlohmann::ordered_json& environment)
    : metrics_(prepare(folder, settings, environment)) {}

namespace {
nlohmann::ordered_json metrics_line(const Progress& p, double val_bytes_per_token) {
  const auto finite = [](double x) {
    return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json line = {{"step", p.step},
                                 {"tokens", p.spent.tokens},
                                 {"flops", p.spent.flops},
                                 {"seconds", p.spent.seconds},
                                 {"train_loss", finite(p.train_loss)},
                                 {"val_loss", nullptr},
                                 {"val_bpb", nullptr},
                                 {"lr", p.lr},
                                 {"grad_norm", finite(p.grad_norm)}};
  if (p.val_loss) {
    line["val_loss"] = finite(*p.val_loss);
    line["val_bpb"] = finite(bits_per_byte(*p.val_loss, val_bytes_per_token));
  }
  return line;
}
}  // namespace

void RunFiles::metrics(const Progress& p, double bytes) { metrics_.write(metrics_line(p, bytes).dump()); }
void MetricsFile::write(const Progress& p, double bytes) {
  file_.write(metrics_line(p, bytes).dump() + "\n");
}

}  // namespace train
