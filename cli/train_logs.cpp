#include "cli/train_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "engine/error.h"
#include "engine/suggest.h"

namespace cli {
namespace {

constexpr std::string_view kJsonl = "jsonl", kTensorBoard = "tensorboard";
constexpr const char *kLog = "log", *kNorms = "norms-interval";

std::vector<std::string> names_of(const Parsed& args) {
  static const std::vector<std::string_view> kLogs = {kJsonl, kTensorBoard};
  std::vector<std::string> out;
  std::istringstream in(args.text(kLog));
  for (std::string name; std::getline(in, name, ',');) {
    if (std::find(kLogs.begin(), kLogs.end(), name) == kLogs.end())
      throw engine::Error(fmt::format("--log {}: no log {}; {}", engine::quote(args.text(kLog)),
                                      engine::quote(name), engine::suggest(name, kLogs)));
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  }
  return out;
}

std::int64_t interval_of(const Parsed& args) { return args.integer(kNorms, 0); }

}  // namespace

std::vector<Extra> log_flags() {
  return {{"log",
           "NAME[,NAME]",
           "jsonl",
           "how it goes, in the folder: jsonl (metrics.jsonl), tensorboard (event files)",
           false,
           {},
           {},
           "compare"},
          {"norms-interval", "N", "0",
           "write the norms of each layer's weights, gradient and update to TensorBoard every N "
           "steps; takes time outside the budget"}};
}

void check_log_flags(const Parsed& args) {
  const std::vector<std::string> names = names_of(args);
  interval_of(args);
  engine::require(
      !args.has(kNorms) || std::find(names.begin(), names.end(), kTensorBoard) != names.end(),
      "--norms-interval ", args.text(kNorms),
      ": norms go to TensorBoard; give --log jsonl,tensorboard, too");
}

TrainLogs::TrainLogs(const Parsed& args, const std::filesystem::path& folder,
                     train::RunFiles& files, const train::Task& task)
    : norms_interval_(interval_of(args)) {
  for (const std::string& name : names_of(args))
    if (name == kTensorBoard)
      sinks_.push_back(&events_.emplace(folder, task.constant("val_bytes_per_token")));
    else
      sinks_.push_back(&files.metrics());
}

}  // namespace cli
