#include "lab/study/jobs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "engine/buffer.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "lab/runs/processes.h"
#include "train/files.h"

namespace lab {
namespace {

constexpr double kMostSeconds = 1.8;   // that all trials together may take
constexpr double kWindow = 0.2;        // of steps that are timed in one trial
constexpr double kLeastFlops = 5e11;   // below it the runs are over before much is tried
constexpr double kWorthwhile = 1.03;   // times as fast: less is noise
constexpr double kPastTheBest = 0.95;  // of the best rate: more processes bring no more
constexpr std::size_t kWarmUp = 2, kLeastSteps = 3;

/// Seconds of a clock that all processes share.
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A spec in a file of its own, outside the store: a trial makes no run.
class TrialSpec {
 public:
  explicit TrialSpec(const RunSpec& spec) : path_(std::filesystem::temp_directory_path() / name()) {
    train::write_json(path_, to_json(spec));
  }
  ~TrialSpec() {
    std::error_code ignored;  // best effort: it is in nobody's way
    std::filesystem::remove(path_, ignored);
  }
  TrialSpec(const TrialSpec&) = delete;
  TrialSpec& operator=(const TrialSpec&) = delete;
  std::string path() const { return path_.string(); }

 private:
  static std::string name() { return fmt::format("isodrop-trial-{}.json", getpid()); }
  std::filesystem::path path_;
};

/// Steps of one worker: how many were done when.
struct Pace {
  std::vector<double> at;
  std::vector<std::size_t> steps;

  /// When it was warm; nullopt: not yet.
  std::optional<double> warm() const {
    for (std::size_t i = 0; i < at.size(); ++i)
      if (steps[i] >= kWarmUp) return at[i];
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

/// Steps per second of all jobs together, while all of them are at it; nullopt where that is not
/// known by `deadline` or one of them ended.
std::optional<double> steps_per_second(const TrialSpec& spec, const std::string& program,
                                       const Jobs& jobs, double deadline) {
  Processes processes;
  const Workers workers{program, jobs.count, jobs.threads};
  for (std::int64_t slot = 0; slot < jobs.count; ++slot)
    processes.start(static_cast<std::size_t>(slot),
                    {program, "run", spec.path(), "--trial", "--format", "json", "--threads",
                     std::to_string(workers.share(slot))});
  std::vector<Pace> paces(static_cast<std::size_t>(jobs.count));
  for (double time = now(); time < deadline; time = now()) {
    const auto news = processes.wait(deadline - time);
    if (!news) continue;
    if (news->end) return {};
    const Json json = Json::parse(news->line, nullptr, false);
    if (!json.is_object() || json.value("event", "") != event::kTrial) continue;
    paces[news->number].at.push_back(json.value("at", 0.0));
    paces[news->number].steps.push_back(json.value("steps", std::size_t{0}));
    double from = 0;  // when the last of them was warm
    bool warm = true;
    for (const Pace& pace : paces) {
      const auto since = pace.warm();
      warm = warm && since;
      if (since) from = std::max(from, *since);
    }
    if (!warm || now() < from + kWindow) continue;
    double rate = 0;
    bool enough = true;
    for (const Pace& pace : paces) {
      const auto own = pace.rate(from);
      enough = enough && own;
      rate += own.value_or(0);
    }
    if (enough) return rate;
  }
  return {};
}

std::string at_once(const Jobs& jobs) {
  const std::int64_t least = std::max<std::int64_t>(1, jobs.threads / jobs.count);
  return fmt::format("{} runs at once, {} {} each", jobs.count, least,
                     least == 1 ? "thread" : "threads");
}

/// FLOPs of the missing runs, each taken for one of the first.
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
  const std::int64_t threads = settings.threads > 0 ? settings.threads : engine::max_threads();
  engine::require(count >= 1 && count <= threads, "--jobs ", count,
                  ": give auto or a number in [1, ", threads,
                  "]: every run needs a thread of its own, and there are ", threads);
  engine::require(count == 1 || train::Budget::parse(settings.budget).fixed_steps(), "--jobs ",
                  count, " with --budget ", settings.budget,
                  ": a budget in seconds needs the machine to itself; give --jobs 1, or the budget "
                  "in flops, tokens, steps or epochs");
  return {count, threads, 1, ""};
}

Jobs measured_jobs(const StudyRuns& runs, const std::string& program) {
  Jobs one{1, engine::max_threads(), 1, ""};
  const std::vector<Point> missing = runs.missing();
  if (missing.size() < 2 || one.threads < 2) return one;
  const auto single = [&](const std::string& why) {
    one.note = "one run at a time: " + why;
    return one;
  };
  if (!train::Budget::parse(runs.study().base.budget).fixed_steps())
    return single("a budget in seconds needs the machine to itself");
  if (flops_left(runs) < kLeastFlops) return single("too little to do to try out more");
  const auto available = static_cast<double>(engine::available_memory());
  const double bytes = static_cast<double>(runs.run_memory());
  std::int64_t most = std::min(one.threads, std::ssize(missing));
  if (available > 0) most = std::min(most, static_cast<std::int64_t>(available / bytes));
  if (most < 2)
    return single(fmt::format("memory has no room for more ({:.1f} GB a run, {:.1f} GB free)",
                              bytes / 1e9, available / 1e9));

  const TrialSpec spec(runs.spec(runs.id(missing.front())));
  const double deadline = now() + kMostSeconds;
  const auto first = steps_per_second(spec, program, one, deadline);
  // How much sooner the missing runs are done: the last round may have fewer of them than jobs.
  const auto gain = [&](const Jobs& jobs) {
    const auto n = static_cast<double>(missing.size()), k = static_cast<double>(jobs.count);
    return jobs.speedup * n / (std::ceil(n / k) * k);
  };
  Jobs best = one;  // of more than one
  double top = 1;
  for (std::int64_t count = 2; first && count <= most; ++count) {
    if (one.threads % count != 0) continue;  // all threads, evenly
    Jobs jobs{count, one.threads, 1, ""};
    const auto rate = steps_per_second(spec, program, jobs, deadline);
    if (!rate) break;
    jobs.speedup = *rate / *first;
    if (best.count == 1 || gain(jobs) > gain(best) * kWorthwhile) best = jobs;
    if (jobs.speedup < top * kPastTheBest) break;
    top = std::max(top, jobs.speedup);
  }
  if (best.count == 1) return single("its steps are too long to try out more; --jobs N takes N");
  const std::string measured =
      fmt::format("{:.2f} × as fast as one at a time (measured)", gain(best));
  if (gain(best) < kWorthwhile)
    return single(fmt::format("{} would be {}", at_once(best), measured));
  best.note = fmt::format("{}: {}", at_once(best), measured);
  return best;
}

double measured_speedup(const StudyRuns& runs, const Jobs& jobs, const std::string& program) {
  const std::vector<Point> missing = runs.missing();
  if (jobs.count == 1 || missing.size() < 2) return 1;
  const TrialSpec spec(runs.spec(runs.id(missing.front())));
  const Jobs one{1, jobs.threads, 1, ""};
  const double deadline = now() + kMostSeconds;
  const auto alone = steps_per_second(spec, program, one, deadline);
  const auto together = alone ? steps_per_second(spec, program, jobs, deadline) : std::nullopt;
  return together ? *together / *alone : 1;
}

}  // namespace lab
