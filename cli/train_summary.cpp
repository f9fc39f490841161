// What `isodrop train` says before, during and after a run.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "base/text_table.h"
#include "cli/train_run.h"
#include "lab/runs/metrics.h"
#include "train/storage/checkpoint.h"

namespace cli {
namespace {

// A forward pass is about a third of a training step (lab/study/dry_run.cpp takes the same).
constexpr double kForwardShare = 1.0 / 3;
constexpr double kSoonest = 1;     // seconds of training before its speed is known
constexpr double kMeasured = 0.2;  // share of the budget from which evaluations are extrapolated

}  // namespace

void print_train_header(const ReadyRun& run) {
  const train::RunPlan& plan = run.trainer.planned();
  const std::size_t parameters = run.trainer.params().trainable_bytes() / sizeof(float);
  const auto line = [](const char* label, const std::string& text) {
    const std::size_t columns = cli::columns(stderr);
    fmt::print(stderr, "{:<8}{}\n", label,
               base::wrapped(base::printable(text), columns > 20 ? columns - 8 : 12, 8));
  };
  line("data", run.task.describe(plan.settings).sentence);
  line("model",
       fmt::format("{} parameters, vocabulary {}, {}, {}, {} channels, context {}",
                   with_prefix(static_cast<double>(parameters)), plan.config.vocab,
                   base::counted(static_cast<std::uint64_t>(plan.settings.n_layer), "layer"),
                   base::counted(static_cast<std::uint64_t>(plan.settings.n_head), "head"),
                   plan.settings.n_embd, plan.settings.block_size));
  const auto steps = static_cast<double>(plan.total_steps);
  line("budget",
       plan.total_steps > 0
           ? fmt::format("{}: {} tokens, {}FLOP",
                         base::counted(static_cast<std::uint64_t>(plan.total_steps), "step"),
                         with_prefix(steps * plan.tokens_per_step),
                         with_prefix(steps * plan.flops_per_step))
           : plan.settings.budget);
  line("memory", fmt::format("{}B", with_prefix(static_cast<double>(plan.memory.total()))));
}

double TimeLeft::evaluation_left(const train::Progress& p) const {
  if (p.spent.seconds <= 0 || p.spent.tokens <= 0) return 0;
  const double spent = run_.trainer.state().eval_seconds;
  if (p.fraction >= kMeasured && spent > 0) return spent * (1 - p.fraction) / p.fraction;
  return run_.trainer.planned().evaluated_tokens * kForwardShare * p.spent.seconds /
         p.spent.tokens * (1 - p.fraction);
}

std::optional<std::string> TimeLeft::expected(const train::Progress& p) {
  if (told_ || p.spent.seconds < kSoonest || p.fraction <= 0 || p.fraction >= 1) return {};
  told_ = true;
  const double left = p.spent.seconds * (1 - p.fraction) / p.fraction,
               evaluation = evaluation_left(p);
  return fmt::format(
      "time    about {}, of which evaluation {}",
      duration(p.spent.seconds + run_.trainer.state().eval_seconds + left + evaluation),
      duration(run_.trainer.state().eval_seconds + evaluation));
}

lab::Json train_summary(const lab::RunRecord& record, const ReadyRun& run) {
  lab::Json json = lab::to_json(record);
  const train::DataConstants known = run.task.constants();
  json["bayes_loss"] = base::or_null(known.bayes_loss);
  json["bayes_loss_window"] = base::or_null(known.bayes_loss_window);
  json["extended"] = lab::Json::array();
  for (const train::Stretch& s : run.trainer.state().earlier)
    json["extended"].push_back({{"budget", s.budget}, {"until", s.until}});
  return json;
}

void print_train_summary(const lab::RunRecord& record, const ReadyRun& run,
                         const std::string& weights) {
  const train::Task& task = run.task;
  const auto number = [&](const char* name) {
    return lab::text(lab::metric(name), record.value(name));
  };
  const auto value = [&](const char* name) { return record.value(name).value_or(0); };
  const auto bits = [&](const char* name) {
    return record.value(name) ? fmt::format(" ({} bits/byte)", number(name)) : "";
  };
  fmt::print("validation loss  {} nats/{}{}, lowest during the run {}\n", number("val_loss"),
             task.name() == train::Settings{}.task ? "token" : "target", bits("val_bpb"),
             number("best_val_loss"));
  const auto bayes = task.constants().bayes_loss, window = task.constants().bayes_loss_window;
  if (bayes)
    fmt::print(
        "best possible    {:.4f}{}\n", *bayes,
        window ? fmt::format(", with {} tokens of context {:.4f}", run.settings.block_size, *window)
               : "");
  if (record.value("test_loss"))
    fmt::print("test loss        {}{}\n", number("test_loss"), bits("test_bpb"));
  fmt::print("training loss    {} (regularizers off, fixed subset)\n", number("train_loss"));
  fmt::print("spent            {}, {} {}, {}FLOP in {} ({} GFLOP/s), evaluation {}\n",
             base::counted(static_cast<std::uint64_t>(value("steps")), "step"),
             with_prefix(value("tokens")), value("tokens") == 1 ? "token" : "tokens",
             with_prefix(value("flops")), duration(value("seconds")), number("gflops"),
             duration(value("eval_seconds")));
  if (record.value("budget_spent"))
    fmt::print(
        "ended            by patience: no lower validation loss in {}; {} of the budget was spent\n",
        base::counted(static_cast<std::uint64_t>(run.settings.patience), "evaluation"),
        number("budget_spent"));
  fmt::print("weights          {}\n", weights);
  if (record.status == lab::Status::kUntrained)
    fmt::print(
        "status           untrained: the final training loss, {}, is above that of the first step, "
        "{}, or of a uniform guess\n",
        number("late_loss"), number("first_loss"));
}

/// Says why it stopped and how to go on. Exit code.
int say_stopped(const ReadyRun& run, int signal) {
  const train::TrainState& s = run.trainer.state();
  const std::string of =
      run.trainer.total_steps() > 0 ? fmt::format(" of {}", run.trainer.total_steps()) : "";
  fmt::print(stderr,
             "isodrop: stopped at step {}{} by {}; 'isodrop train --resume {}' continues it\n",
             s.step, of, signal != 0 ? fmt::format("SIG{}", sigabbrev_np(signal)) : "--time-limit",
             base::shell_word(run.folder.string()));
  return signal != 0 ? 128 + signal : kTimeLimit;
}

/// Likewise, where another process of the run is gone.
int say_lost(const ReadyRun& run, const train::RankLost& why, int signal) {
  const std::int64_t step = run.trainer.state().step;
  const std::string where = run.trainer.shards_moments() ? " from its last checkpoint" : "";
  std::string next = fmt::format("'isodrop train --resume {}' continues it{}",
                                 base::shell_word(run.folder.string()), where);
  if (step == 0)
    next = "nothing is lost, start it again";
  else if (train::checkpoints_in(run.folder).empty())
    next = "there is no checkpoint, start it again";
  fmt::print(stderr, "isodrop: {}; stopped at step {}; {}\n", why.what(), step, next);
  return signal != 0 ? 128 + signal : kLost;
}

/// Says why the result could not be written, and how to go on. Exit code.
int say_unwritten(const ReadyRun& run, const base::Error& why) {
  const std::vector<std::filesystem::path> kept = train::checkpoints_in(run.folder);
  std::string next = "there is no checkpoint, so the training is lost: train again";
  if (!kept.empty())
    next = fmt::format("training continues from {}: 'isodrop train --resume {}'",
                       kept.front().string(), base::shell_word(run.folder.string()));
  fmt::print(stderr, "isodrop: the result of step {} was not written: {}; {}\n",
             run.trainer.state().step, base::printable(why.what()), base::printable(next));
  return kUnwritten;
}

}  // namespace cli
