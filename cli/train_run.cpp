#include "cli/train_run.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "lab/runs/measures.h"
#include "lab/runs/record.h"
#include "lab/runs/spec.h"
#include "train/run.h"
#include "train/storage/checkpoint.h"

namespace cli {
namespace {

constexpr const char* kCheckpointInterval = "checkpoint-interval";
constexpr const char* kTimeLimitFlag = "time-limit";

/// The intervals of --checkpoint-interval.
train::Keeping read_interval(const std::string& text) {
  train::Keeping keeping;
  if (text == "off") return keeping;
  const bool time =
      text.ends_with('s') || text.ends_with("min") || text.ends_with('m') || text.ends_with('h');
  try {
    if (text.ends_with("step") || text.ends_with("steps"))
      keeping.every_steps = static_cast<std::int64_t>(train::Budget::parse(text).amount);
    else if (time)
      keeping.every_seconds = base::parse_time(text, "");
  } catch (const base::Error&) {
    // told below
  }
  base::require(keeping.every_steps > 0 || keeping.every_seconds > 0, "--", kCheckpointInterval,
                " ", base::quote(text), ": give ", kCheckpointForms);
  return keeping;
}

std::optional<double> time_limit(const Parsed& args) {
  if (!args.has(kTimeLimitFlag) || args.text(kTimeLimitFlag) == "off") return {};
  return base::parse_time(args.text(kTimeLimitFlag), std::string("--") + kTimeLimitFlag);
}

/// Whose run it is: nobody's, but a run whose budget was extended is not the one that a run of its
/// last budget would be.
std::string owner(const train::TrainState& state) {
  std::string text;
  for (const train::Stretch& s : state.earlier)
    text += fmt::format("extended from {} at step {};", s.budget, s.until);
  return text;
}

}  // namespace

void check_train_flags(const Parsed& args) {
  read_interval(args.text(kCheckpointInterval));
  time_limit(args);
  check_log_flags(args);
}

int train_to_end(const Parsed& args, TrainCommand& command, ReadyRun run) {
  const train::Settings& settings = run.settings;
  const lab::Machine machine = lab::this_machine(args.settings.threads);
  const std::string data = run.task.data_hash();
  lab::RunSpec spec = lab::run_spec(run.trainer.planned().settings, data);
  const train::Checkpoints checkpoints(run.folder, settings, data);
  const std::optional<double> limit = time_limit(args);
  train::Keeping keeping = read_interval(args.text(kCheckpointInterval));
  keeping.stop = [&] {
    return command.signals.signal() != 0 || (limit && command.watch.seconds() >= *limit);
  };
  ProgressLine& line = command.line;
  keeping.save = [&] {
    try {
      run.trainer.gather_moments();
      checkpoints.save(run.trainer.state());
      run.trainer.drop_moments();
    } catch (const train::RankLost& e) {
      if (!run.trainer.finished()) throw;  // else it needs nobody any more
      line.note(fmt::format("isodrop: no checkpoint was saved: {}", e.what()));
    } catch (const base::Error& e) {
      // A disk that is full for a while is no reason to lose the run; a stop without it would be.
      if (!run.trainer.finished() && keeping.stop()) throw;
      line.note(fmt::format("isodrop: no checkpoint was saved, the run continues: {}", e.what()));
    }
  };
  TimeLeft time(run);
  train::CallSink told([&](const train::Progress& p) {
    const double evaluation = time.evaluation_left(p);
    if (const auto expected = time.expected(p)) line.note(*expected);
    if (p.val_loss)
      line.note(progress_text(p, evaluation));
    else if (line.due())
      line.update(progress_text(p, evaluation));
  });
  if (args.text("format") == "text") print_train_header(run);
  command.signals.hold();
  run.files.write_flags(kept_flags(args));
  const TrainLogs logs(args, run.folder, run.files, run.task, run.trainer,
                       [&line](const std::string& text) { line.note("isodrop: " + text); });
  std::vector<train::Sink*> sinks = logs.sinks();
  sinks.push_back(&told);
  command.followers.lead(run.trainer, run.task);
  train::RunResult result;
  try {
    result = train::run(run.trainer, sinks, keeping, logs.norms_interval());
  } catch (const train::RankLost& e) {
    line.finish();
    return say_lost(run, e, command.signals.signal());
  }
  line.finish();
  if (result.stopped) return say_stopped(run, command.signals.signal());
  // Weights first, so that nothing that goes wrong after the training loses it; what ends a run is
  // its summary.
  std::filesystem::path weights;
  if (!result.diverged) {
    try {
      weights = run.files.write_weights(run.trainer.params());
    } catch (const base::Error& e) {
      return say_unwritten(run, e);
    }
    result.measured = lab::measure(run.trainer, run.task);
  }
  lab::RunRecord record = lab::make_record(result, run.task, machine);
  spec.owner = owner(run.trainer.state());
  record.id = lab::run_id(spec);
  record.seed = settings.seed;
  const lab::Json json = train_summary(record, run);
  try {
    run.files.write_summary(json);
  } catch (const base::Error& e) {
    return say_unwritten(run, e);
  }
  if (args.text("format") == "json")
    fmt::print("{}", base::json_text(json));
  else if (!result.diverged)
    print_train_summary(record, run, weights.string());
  if (!result.diverged) {
    // Of a run that has ended its last state will do, from which a larger budget goes on.
    if (const auto left = train::checkpoints_in(run.folder); !left.empty())
      checkpoints.keep_only(left.front());
    return 0;
  }
  const std::string loss =
      result.train_loss ? fmt::format("{:.3g} on the training data, far above a uniform guess,",
                                      *result.train_loss)
                        : "not finite";
  fmt::print(stderr,
             "isodrop: diverged: the loss is {} at step {} (learning rate {:.3g}); lower --lr or "
             "lengthen --warmup\n",
             loss, result.diverged_at, result.diverged_lr);
  return kDiverged;
}

}  // namespace cli
