#include "lab/study/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/buffer.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "engine/quantile.h"
#include "lab/runs/worker_pool.h"

namespace lab {
namespace {

constexpr double kMostSeconds = 1.8;   // that all trials together may take
constexpr double kWindow = 0.2;        // of steps that are timed in one trial
constexpr double kTellEvery = 0.02;    // seconds; more often would disturb what is timed
constexpr double kLeastFlops = 5e11;   // below it the runs are over before much is tried
constexpr double kWorthwhile = 1.03;   // times as fast: less is noise
constexpr double kPastTheBest = 0.95;  // of the best rate: more processes bring no more
constexpr std::size_t kWarmUp = 2, kLeastSteps = 3;

/// Seconds of a clock that all processes share.
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Steps of a run until somebody ends this process; tells when each of them was over.
[[noreturn]] void step_forever(const Comparison& c, const RunKey& key,
                               const WorkerPool::Tell& tell) {
  train::Trainer trainer(c.settings(key), c.corpus());
  std::vector<double> ends;
  double told = 0;
  for (std::uint64_t i = 0;; ++i) {
    trainer.step(i, 0.5);
    ends.push_back(now());
    if (ends.back() - told < kTellEvery) continue;
    told = ends.back();
    tell({reinterpret_cast<const char*>(ends.data()), ends.size() * sizeof(double)});
    ends.clear();
  }
}

/// Median time of the steps that began at `from` or later; nullopt for fewer than kLeastSteps.
std::optional<double> step_seconds(const std::vector<double>& ends, double from) {
  std::vector<double> seconds;
  for (std::size_t i = 1; i < ends.size(); ++i)
    if (ends[i - 1] >= from) seconds.push_back(ends[i] - ends[i - 1]);
  if (seconds.size() < kLeastSteps) return {};
  return engine::median(std::move(seconds));
}

/// Steps per second of all jobs together, while all of them are at it; nullopt where that is not
/// known by `deadline` or one of them failed.
std::optional<double> steps_per_second(const Comparison& c, const Jobs& jobs, double deadline) {
  const RunKey key = c.missing().front();
  WorkerPool pool;
  for (std::int64_t slot = 0; slot < jobs.count; ++slot)
    pool.start(static_cast<std::size_t>(slot), [&](const WorkerPool::Tell& tell) {
      omp_set_num_threads(static_cast<int>(jobs.share(slot)));
      step_forever(c, key, tell);
    });
  std::vector<std::vector<double>> ends(static_cast<std::size_t>(jobs.count));
  for (double time = now(); time < deadline; time = now()) {
    const auto event = pool.wait(deadline - time);
    if (!event) continue;
    if (event->end) return {};
    std::vector<double> more(event->message.size() / sizeof(double));
    std::memcpy(more.data(), event->message.data(), more.size() * sizeof(double));
    auto& mine = ends[event->worker];
    mine.insert(mine.end(), more.begin(), more.end());
    double from = 0;  // when the last of them was warm
    bool warm = true;
    for (const auto& e : ends) {
      warm = warm && e.size() >= kWarmUp;
      if (warm) from = std::max(from, e[kWarmUp - 1]);
    }
    if (!warm || now() < from + kWindow) continue;
    double rate = 0;
    bool enough = true;
    for (const auto& e : ends) {
      const auto seconds = step_seconds(e, from);
      enough = enough && seconds;
      if (enough) rate += 1 / *seconds;
    }
    if (enough) return rate;
  }
  return {};
}

std::string at_once(const Jobs& jobs) {
  const std::int64_t least = jobs.share(jobs.count - 1);
  return fmt::format("{} runs at once, {} {} each", jobs.count, least,
                     least == 1 ? "thread" : "threads");
}

/// FLOPs of the missing runs, each taken for one of the first.
double flops_left(const Comparison& c) {
  const std::vector<RunKey> missing = c.missing();
  RunKey key = missing.front();
  key.share = 1;
  const train::Trainer plan(c.settings(key), c.corpus(), train::Trainer::Make::kPlan);
  double shares = 0;
  for (const RunKey& run : missing) shares += run.share;
  return plan.flops_per_step() * static_cast<double>(plan.total_steps()) * shares;
}

}  // namespace

std::int64_t Jobs::share(std::int64_t slot) const {
  return std::max<std::int64_t>(1, threads / count + (slot < threads % count ? 1 : 0));
}

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

Jobs measured_jobs(const Comparison& c) {
  Jobs one{1, engine::max_threads(), 1, ""};
  const std::size_t runs = c.missing().size();
  if (runs < 2 || one.threads < 2) return one;
  const auto single = [&](const std::string& why) {
    one.note = "one run at a time: " + why;
    return one;
  };
  if (!train::Budget::parse(c.spec().base.budget).fixed_steps())
    return single("a budget in seconds needs the machine to itself");
  if (flops_left(c) < kLeastFlops) return single("too little to do to try out more");
  const auto available = static_cast<double>(engine::available_memory());
  const double bytes = static_cast<double>(c.run_memory());
  std::int64_t most = std::min(one.threads, static_cast<std::int64_t>(runs));
  if (available > 0) most = std::min(most, static_cast<std::int64_t>(available / bytes));
  if (most < 2)
    return single(fmt::format("memory has no room for more ({:.1f} GB a run, {:.1f} GB free)",
                              bytes / 1e9, available / 1e9));

  const double deadline = now() + kMostSeconds;
  const auto first = steps_per_second(c, one, deadline);
  // How much sooner the missing runs are done: the last round may have fewer of them than jobs.
  const auto gain = [&](const Jobs& jobs) {
    const auto n = static_cast<double>(runs), k = static_cast<double>(jobs.count);
    return jobs.speedup * n / (std::ceil(n / k) * k);
  };
  Jobs best = one;  // of more than one
  double top = 1;
  for (std::int64_t count = 2; first && count <= most; ++count) {
    if (one.threads % count != 0) continue;  // all threads, evenly
    Jobs jobs{count, one.threads, 1, ""};
    const auto rate = steps_per_second(c, jobs, deadline);
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

double measured_speedup(const Comparison& c, const Jobs& jobs) {
  if (jobs.count == 1 || c.missing().size() < 2) return 1;
  const Jobs one{1, jobs.threads, 1, ""};
  const double deadline = now() + kMostSeconds;
  const auto alone = steps_per_second(c, one, deadline);
  const auto together = alone ? steps_per_second(c, jobs, deadline) : std::nullopt;
  return together ? *together / *alone : 1;
}

}  // namespace lab
