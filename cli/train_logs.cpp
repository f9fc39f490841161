#include "cli/train_logs.h"

#include <algorithm>
#include <string>

#include "engine/error.h"

namespace cli {
namespace {

constexpr std::string_view kJsonl = "jsonl", kTensorBoard = "tensorboard";
constexpr const char *kLog = "log", *kNorms = "norms-interval", *kSample = "sample-tokens";

std::vector<std::string> names_of(const Parsed& args) {
  return args.names(kLog, "log", {kJsonl, kTensorBoard});
}

std::int64_t interval_of(const Parsed& args) { return args.integer(kNorms, 0); }

std::int64_t sample_tokens(const Parsed& args) { return args.integer(kSample, 0, 1'000'000); }

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
           "steps; takes time outside the budget"},
          {kSample, "N", "200",
           "write a text of so many tokens, drawn from the model at every evaluation, to "
           "TensorBoard; 0: none; takes time outside the budget"}};
}

void check_log_flags(const Parsed& args) {
  const std::vector<std::string> names = names_of(args);
  interval_of(args);
  sample_tokens(args);
  const bool board = std::find(names.begin(), names.end(), kTensorBoard) != names.end();
  engine::require(board || !args.has(kNorms), "--", kNorms, " ", args.text(kNorms),
                  ": norms go to TensorBoard; give --log jsonl,tensorboard, too");
  engine::require(board || !args.has(kSample), "--", kSample, " ", args.text(kSample),
                  ": texts go to TensorBoard; give --log jsonl,tensorboard, too");
}

TrainLogs::TrainLogs(const Parsed& args, const std::filesystem::path& folder,
                     train::RunFiles& files, const train::Task& task, train::Trainer& trainer)
    : norms_interval_(interval_of(args)) {
  for (const std::string& name : names_of(args))
    if (name == kTensorBoard)
      sinks_.push_back(&events_.emplace(folder, task.constant("val_bytes_per_token")));
    else
      sinks_.push_back(&files.metrics());
  if (const train::Tokenizer* text = task.tokenizer();
      events_ && text != nullptr && !text->pieces().empty() && sample_tokens(args) > 0)
    sinks_.push_back(&texts_.emplace(trainer, *text, sample_tokens(args), *events_));
}

}  // namespace cli
