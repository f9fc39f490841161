#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "lab/report/render.h"

namespace lab {
namespace {

std::string bytes_text(double bytes) {
  return bytes >= 1e9 ? fmt::format("{:.2f} GB", bytes / 1e9)
                      : fmt::format("{:.1f} MB", bytes / 1e6);
}

std::string time_text(double seconds) {
  if (seconds >= 5400) return fmt::format("{:.1f} h", seconds / 3600);
  if (seconds >= 90) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} s", seconds);
}

std::string how(const RunEstimate& e, const DryRun& plan) {
  if (e.timed_steps > 0)
    return fmt::format("from {}",
                       base::counted(static_cast<std::uint64_t>(e.timed_steps), "timed step"));
  return fmt::format("from half of the measured FMA peak, {:.0f} GFLOP/s", plan.peak_gflops);
}

std::string memory_text(const train::MemoryNeed& m) {
  const auto b = [](std::size_t n) { return bytes_text(static_cast<double>(n)); };
  return fmt::format(
      "weights, gradients {} · optimizer {}{} · activations {} · corpus {} · program {}",
      b(m.parameters), b(m.optimizer), m.shards > 0 ? " · shards' sums " + b(m.shards) : "",
      b(m.training), b(m.corpus), b(m.program));
}

std::string steps_text(const RunEstimate& e) {
  return e.steps > 0 ? base::counted(static_cast<std::uint64_t>(e.steps), "step")
                     : fmt::format("about {:.0f} steps", e.tokens / e.tokens_per_step);
}

std::string jobs_text(const Jobs& jobs) {
  if (!jobs.note.empty()) return jobs.note;
  if (jobs.count == 1) return "one run at a time";
  return fmt::format("{} runs at once, {:.2f} × as fast as one at a time (measured)", jobs.count,
                     jobs.speedup);
}

std::string arms_text(const DryRun& plan) {
  std::size_t width = 4;
  for (const RunEstimate& e : plan.arms) width = std::max(width, e.name.size());
  std::string out =
      fmt::format("{:<{}} {:>12} {:>10} {:>11} {:>9} {:>11} {:>9} {:>6}\n", "arm", width,
                  "parameters", "memory", "FLOP/step", "steps", "FLOP/run", "time/run", "runs");
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    const RunEstimate& e = plan.arms[i];
    out += fmt::format("{:<{}} {:>12} {:>10} {:>11.3g} {:>9} {:>11.3g} {:>9} {:>6.4g}\n", e.name,
                       width, e.parameters, bytes_text(static_cast<double>(e.memory.total())),
                       e.flops_per_step, e.steps > 0 ? fmt::format("{}", e.steps) : "?", e.flops,
                       time_text(e.seconds()), plan.runs(i));
  }
  return out;
}

Json arm_json(const RunEstimate& e) {
  const train::MemoryNeed& m = e.memory;
  return {{"name", e.name},
          {"parameters", e.parameters},
          {"memory",
           {{"parameters", m.parameters},
            {"optimizer", m.optimizer},
            {"shards", m.shards},
            {"activations", m.training},
            {"corpus", m.corpus},
            {"program", m.program},
            {"total", m.total()}}},
          {"tokens_per_step", e.tokens_per_step},
          {"flops_per_step", e.flops_per_step},
          {"steps", e.steps > 0 ? Json(e.steps) : Json(nullptr)},
          {"tokens", e.tokens},
          {"flops", e.flops},
          {"training_seconds", e.training_seconds},
          {"evaluation_seconds", e.evaluation_seconds},
          {"seconds", e.seconds()},
          {"seconds_from", e.timed_steps > 0 ? "timed steps" : "half of the measured FMA peak"}};
}

}  // namespace

std::string render_text(const DryRun& plan) {
  const RunEstimate& first = plan.arms.front();
  const std::string memory =
      fmt::format("{} at the peak{}\n", bytes_text(plan.memory()),
                  plan.available == 0 ? ""
                                      : fmt::format(", {} are free{}",
                                                    bytes_text(static_cast<double>(plan.available)),
                                                    plan.fits() ? "" : ": does not fit"));
  if (!plan.study)
    return fmt::format("parameters   {}\nmemory       {}             {}\n", first.parameters,
                       memory, memory_text(first.memory)) +
           fmt::format(
               "compute      {:.3g} FLOP a step, {}, {:.3g} FLOP in all\n"
               "time         {} training, {} evaluation ({})\n"
               "checkpoint   {} on disk, two are kept\n"
               "nothing was written\n",
               first.flops_per_step, steps_text(first), first.flops,
               time_text(first.training_seconds), time_text(first.evaluation_seconds),
               how(first, plan), bytes_text(static_cast<double>(first.checkpoint)));
  return arms_text(plan) +
         fmt::format(
             "\nall          {}{}, {:.3g} FLOP, {} (first arm {})\n"
             "jobs         {}\n"
             "memory       {}             largest arm: {}\n"
             "nothing was written\n",
             base::counted(plan.run_count(), "run"),
             plan.done > 0 ? fmt::format(" to be made, {} are done", plan.done) : "", plan.flops(),
             time_text(plan.seconds()), how(first, plan), jobs_text(plan.jobs), memory,
             memory_text(std::max_element(plan.arms.begin(), plan.arms.end(),
                                          [](const RunEstimate& a, const RunEstimate& b) {
                                            return a.memory.total() < b.memory.total();
                                          })
                             ->memory));
}

Json to_json(const DryRun& plan) {
  Json arms = Json::array();
  for (const RunEstimate& e : plan.arms) arms.push_back(arm_json(e));
  const Json available = plan.available > 0 ? Json(plan.available) : Json(nullptr);
  Json json = {{"schema", "isodrop-dry-run-1"}};
  if (plan.study) {
    json["arms"] = arms;
  } else {
    arms[0].erase("name");
    json.update(arms[0]);
    json["checkpoint_bytes"] = plan.arms.front().checkpoint;
  }
  json["runs"] = plan.run_count();
  if (plan.study) {
    json["runs_done"] = plan.done;
    json["jobs"] = plan.jobs.count;
    json["jobs_speedup"] = plan.jobs.speedup;
  }
  json["total_flops"] = plan.flops();
  json["total_seconds"] = plan.seconds();
  json["peak_memory"] = plan.memory();
  json["available_memory"] = available;
  json["fits"] = plan.fits();
  json["peak_gflops"] = plan.peak_gflops;
  return json;
}

}  // namespace lab
