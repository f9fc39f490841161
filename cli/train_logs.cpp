#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "cli/train_run.h"

namespace cli {
namespace {

constexpr std::string_view kJsonl = "jsonl", kTensorBoard = "tensorboard";
constexpr const char *kLog = "log", *kNorms = "norms-interval", *kSample = "sample-tokens";

std::vector<std::string> names_of(const Parsed& args) {
  return args.names(kLog, "log", {kJsonl, kTensorBoard});
}

bool to_tensorboard(const Parsed& args) {
  const std::vector<std::string> names = names_of(args);
  return std::find(names.begin(), names.end(), kTensorBoard) != names.end();
}

/// The flags that a run keeps; what needs --log behind it.
constexpr const char* kKept[] = {"checkpoint-interval", "time-limit", kLog, kNorms, kSample};

std::int64_t interval_of(const Parsed& args) { return args.integer(kNorms, 0); }

std::int64_t sample_tokens(const Parsed& args) { return args.integer(kSample, 0, 1'000'000); }

}  // namespace

std::vector<Extra> log_flags() {
  return {{.flag = kLog,
           .hint = "NAME[,NAME]",
           .fallback = "jsonl",
           .help = "logs to write in the folder: jsonl (metrics.jsonl), tensorboard (event files)",
           .not_with = "compare"},
          {.flag = kNorms,
           .hint = "N",
           .fallback = "0",
           .help = "write the norms of each layer's weights, gradient and update to TensorBoard "
                   "every N steps; takes time outside the budget"},
          {.flag = kSample,
           .hint = "N",
           .fallback = "200",
           .help = "write N generated tokens to TensorBoard at every evaluation; 0: none; takes "
                   "time outside the budget"}};
}

void check_log_flags(const Parsed& args) {
  const bool board = to_tensorboard(args);
  interval_of(args);
  sample_tokens(args);
  base::require(board || !args.has(kNorms), "--", kNorms, " ", args.text(kNorms),
                ": norms go to TensorBoard; give --log jsonl,tensorboard, too");
  base::require(board || !args.has(kSample), "--", kSample, " ", args.text(kSample),
                ": texts go to TensorBoard; give --log jsonl,tensorboard, too");
}

void recall_flags(Parsed& args, const std::filesystem::path& folder) {
  const base::Json kept = train::read_flags(folder);
  const std::string file = (folder / "flags.json").string();
  for (const auto& [name, value] : kept.items())
    base::require(std::find(std::begin(kKept), std::end(kKept), name) != std::end(kKept), file,
                  ": ", base::quote(name),
                  " is no flag that a run keeps; remove the file to go on without");
  for (const char* flag : kKept) {
    // Without TensorBoard, by a --log beside --resume, what goes there is for nobody.
    if ((flag == kNorms || flag == kSample) && !to_tensorboard(args)) continue;
    if (kept.contains(flag)) args.recall(flag, kept[flag].get<std::string>(), file);
  }
}

base::Json kept_flags(const Parsed& args) {
  base::Json flags = base::Json::object();
  for (const char* flag : kKept)
    if (args.has(flag)) flags[flag] = args.text(flag);
  return flags;
}

TrainLogs::TrainLogs(const Parsed& args, const std::filesystem::path& folder,
                     train::RunFiles& files, const train::Task& task, train::Trainer& trainer,
                     const std::function<void(const std::string&)>& note)
    : norms_interval_(interval_of(args)) {
  const std::int64_t done = trainer.state().step;
  for (const std::string& name : names_of(args))
    if (name == kTensorBoard)
      sinks_.push_back(&events_.emplace(folder, task.constants().val_bytes_per_token,
                                        done > 0 ? done + 1 : 0, note));
    else
      sinks_.push_back(&files.metrics(note));
  if (const data::Tokenizer* text = task.tokenizer();
      events_ && text != nullptr && !text->pieces().empty() && sample_tokens(args) > 0)
    sinks_.push_back(&texts_.emplace(trainer, *text, sample_tokens(args), *events_));
}

}  // namespace cli
