#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/measure.h"
#include "base/parallel.h"
#include "base/text.h"
#include "engine/buffer.h"
#include "lab/runs/processes.h"
#include "lab/study/dry_run.h"
#include "train/trainer.h"

namespace lab {
namespace {

constexpr double kMostSeconds = 1.8;   // that all trials together may take
constexpr double kWindow = 0.2;        // of steps that are timed in one trial
constexpr double kLeastFlops = 5e11;   // with less the runs are over before a trial pays
constexpr double kWorthwhile = 1.03;   // times as fast: less is noise
constexpr double kPastTheBest = 0.95;  // of the best rate: more processes bring no more
constexpr std::size_t kLeastSteps = 3;

/// Steps of one worker: how many were done when.
struct StepLog {
  std::vector<double> at;
  std::vector<std::size_t> steps;

  /// When it was warm; nullopt: not yet.
  std::optional<double> warm() const {
    for (std::size_t i = 0; i < at.size(); ++i)
      if (steps[i] >= train::StepTimer::kWarmUp) return at[i];
    return {};
  }
  /// Steps per second from `from` on; nullopt for fewer than kLeastSteps.
  std::optional<double> rate(double from) const {
    const auto first = std::lower_bound(at.begin(), at.end(), from) - at.begin();
    if (first >= std::ssize(at)) return {};
    const auto i = static_cast<std::size_t>(first);
    if (steps.back() < steps[i] + kLeastSteps) return {};
    return static_cast<double>(steps.back() - steps[i]) / (at.back() - at[i]);
  }
};

/// Steps per second of all of them for kWindow or longer since the last was warm.
std::optional<double> rate_together(const std::vector<StepLog>& logs) {
  double from = 0, rate = 0;
  for (const StepLog& log : logs) {
    const auto warm = log.warm();
    if (!warm) return {};
    from = std::max(from, *warm);
  }
  if (base::monotonic_seconds() < from + kWindow) return {};
  for (const StepLog& log : logs) {
    const auto own = log.rate(from);
    if (!own) return {};
    rate += *own;
  }
  return rate;
}

/// Trials of a run's steps, several at once against one alone. They make no run and write nothing:
/// the spec lies in memory, where other processes can read it for as long as this lives.
class Trials {
 public:
  Trials(const RunSpec& spec, const std::string& program, std::int64_t threads)
      : program_(program),
        fd_(memfd_create("spec.json", MFD_CLOEXEC)),
        deadline_(base::monotonic_seconds() + kMostSeconds) {
    const std::string text = base::json_compact(to_json(spec));
    if (fd_ < 0 || write(fd_, text.data(), text.size()) != std::ssize(text))
      throw std::system_error(errno, std::generic_category(),
                              "cannot write a run's spec to memory");
    alone_ = steps_per_second({1, threads, 1, ""});
  }
  ~Trials() { close(fd_); }
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;

  /// How many times as fast; nullopt if kMostSeconds for all trials are too few to know.
  std::optional<double> speedup(const Jobs& jobs) const {
    const auto together = alone_ ? steps_per_second(jobs) : std::nullopt;
    return together ? std::optional(*together / *alone_) : std::nullopt;
  }

 private:
  /// Of all jobs together, while all of them train; nullopt if it is not known by the deadline or
  /// one of them ended.
  std::optional<double> steps_per_second(const Jobs& jobs) const {
    Processes processes;
    const Workers workers{program_, jobs.count, jobs.threads};
    const std::string spec = fmt::format("/proc/{}/fd/{}", getpid(), fd_);
    for (std::int64_t slot = 0; slot < jobs.count; ++slot)
      processes.start(
          static_cast<std::size_t>(slot),
          {program_, "run", spec, "--trial", "--threads", std::to_string(workers.share(slot))});
    std::vector<StepLog> logs(static_cast<std::size_t>(jobs.count));
    for (double time = base::monotonic_seconds(); time < deadline_;
         time = base::monotonic_seconds()) {
      const auto news = processes.wait(deadline_ - time);
      if (!news) continue;
      if (news->end) return {};
      const Json json = Json::parse(news->line, nullptr, false);
      if (!json.is_object() || json.value("event", "") != event::kTrial) continue;
      logs[news->number].at.push_back(json.value("at", 0.0));
      logs[news->number].steps.push_back(json.value("steps", std::size_t{0}));
      if (const auto rate = rate_together(logs)) return rate;
    }
    return {};
  }

  const std::string& program_;
  int fd_;
  double deadline_;
  std::optional<double> alone_;
};

std::string at_once(const Jobs& jobs) {
  const std::int64_t least = std::max<std::int64_t>(1, jobs.threads / jobs.count);
  return fmt::format("{} runs at once, {} {} each", jobs.count, least,
                     least == 1 ? "thread" : "threads");
}

/// FLOPs of the missing runs, as if all had the size of the first.
double flops_left(const StudyRuns& runs) {
  double flops = 0;
  std::optional<double> whole;
  for (const Point& p : runs.missing()) {
    const train::Settings& s = runs.spec(runs.id(p)).settings;
    if (!whole) {
      const train::RunPlan plan(s, runs.task(p.cell));
      whole = plan.flops_per_step * static_cast<double>(plan.total_steps) / s.budget_share;
    }
    flops += *whole * s.budget_share;
  }
  return flops;
}

}  // namespace

Jobs given_jobs(std::int64_t count, const train::Settings& settings) {
  const std::int64_t threads = settings.threads > 0 ? settings.threads : base::max_threads();
  base::require(count >= 1 && count <= threads, "--jobs ", count, ": give auto or a number in [1, ",
                threads, "]: every run needs a thread of its own, and there ",
                base::are(static_cast<std::uint64_t>(threads)), " ", threads);
  base::require(count == 1 || train::Budget::parse(settings.budget).fixed_steps(), "--jobs ", count,
                " with --budget ", settings.budget,
                ": a budget in seconds needs the machine to itself; give --jobs 1, or the budget "
                "in flops, tokens, steps or epochs");
  return {count, threads, 1, ""};
}

Jobs measured_jobs(const StudyRuns& runs, const std::string& program) {
  Jobs one{1, base::max_threads(), 1, ""};
  const std::vector<Point> missing = runs.missing();
  if (missing.size() < 2 || one.threads < 2) return one;
  const auto single = [&](const std::string& why) {
    one.note = "running one at a time (" + why + ")";
    return one;
  };
  if (!train::Budget::parse(runs.study().base.budget).fixed_steps())
    return single("a budget in seconds needs the machine to itself");
  if (flops_left(runs) < kLeastFlops) return single("too little work to test parallel runs");
  const auto available = static_cast<double>(base::available_memory());
  const double bytes = static_cast<double>(runs.run_memory());
  std::int64_t most = std::min(one.threads, std::ssize(missing));
  if (available > 0) most = std::min(most, static_cast<std::int64_t>(available / bytes));
  if (most < 2)
    return single(fmt::format("no memory for more: {:.1f} GB a run, {:.1f} GB free", bytes / 1e9,
                              available / 1e9));

  const Trials trials(runs.spec(runs.id(missing.front())), program, one.threads);
  // How much sooner the missing runs are done: the last round may have fewer of them than jobs.
  const auto gain = [&](const Jobs& jobs) {
    const auto n = static_cast<double>(missing.size()), k = static_cast<double>(jobs.count);
    return jobs.speedup * n / (std::ceil(n / k) * k);
  };
  Jobs best = one;  // of more than one
  double top = 1;
  for (std::int64_t count = 2; count <= most; ++count) {
    if (one.threads % count != 0) continue;  // all threads, evenly
    Jobs jobs{count, one.threads, 1, ""};
    const auto speedup = trials.speedup(jobs);
    if (!speedup) break;
    jobs.speedup = *speedup;
    if (best.count == 1 || gain(jobs) > gain(best) * kWorthwhile) best = jobs;
    if (jobs.speedup < top * kPastTheBest) break;
    top = std::max(top, jobs.speedup);
  }
  if (best.count == 1) return single("parallel runs not tested; --jobs N sets the number");
  const std::string measured =
      fmt::format("measured {:.2f} × as fast as one at a time", gain(best));
  if (gain(best) < kWorthwhile) return single(fmt::format("{}: {}", at_once(best), measured));
  best.note = fmt::format("{}: {}", at_once(best), measured);
  return best;
}

double measured_speedup(const StudyRuns& runs, const Jobs& jobs, const std::string& program) {
  const std::vector<Point> missing = runs.missing();
  if (jobs.count == 1 || missing.size() < 2) return 1;
  const Trials trials(runs.spec(runs.id(missing.front())), program, jobs.threads);
  return trials.speedup(jobs).value_or(1);
}

}  // namespace lab
