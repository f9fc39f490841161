#include "lab/inspect/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/measure.h"
#include "base/parallel.h"
#include "lab/runs/build.h"
#include "ops/onednn.h"
#include "ops/peak.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

constexpr int kRuns = 60;              // of the peak, each of about kRunSeconds
constexpr double kRunSeconds = 0.004;  // short: a neighbour's slice of time shows in single ones
constexpr double kUneven = 0.8, kMuchStolen = 0.02, kBusy = 0.5;
constexpr double kLittleDisk = 1e9, kLittleMemory = 1e9;

std::string bytes(double n) {
  return n >= 1e12 ? fmt::format("{:.1f} TB", n / 1e12) : fmt::format("{:.1f} GB", n / 1e9);
}
std::string or_unknown(const std::optional<std::string>& text) { return text.value_or("unknown"); }
std::string count(const std::optional<int>& n) { return n ? std::to_string(*n) : "unknown"; }
template <class T>
Json known(const std::optional<T>& x) {
  return x ? Json(*x) : Json(nullptr);
}

Check cpu(const MachineFacts& f, const Surroundings& here) {
  Check c{"cpu",
          fmt::format("{}, {}", or_unknown(f.cpu), or_unknown(f.isa)),
          {{"model", known(f.cpu)}, {"isa", known(f.isa)}, {"built_for", here.built_for}},
          ""};
  c.text += ", isodrop is built for " + here.built_for;
  if (f.isa && *f.isa == "SSE2")
    c.advice = "this CPU has no AVX2, which isodrop is made for: expect a fraction of its speed";
  else if (f.isa && *f.isa != here.built_for)
    c.advice =
        "this build leaves " + *f.isa + " unused: build isodrop on this machine (scripts/run)";
  return c;
}

Check threads(const MachineFacts& f, const Surroundings& here) {
  Check c{"threads",
          fmt::format("{} in use; CPUs: {}, allowed: {}, limit of control groups: {}", here.threads,
                      count(f.cpus), count(f.allowed),
                      f.cpu_limit ? fmt::format("{:.4g} {}", *f.cpu_limit,
                                                *f.cpu_limit == 1 ? "core" : "cores")
                                  : "none"),
          {{"threads", here.threads},
           {"cpus", known(f.cpus)},
           {"allowed", known(f.allowed)},
           {"cpu_limit", known(f.cpu_limit)}},
          ""};
  const double most = std::min(static_cast<double>(f.allowed.value_or(here.threads)),
                               std::max(1.0, f.cpu_limit.value_or(1e9)));
  if (here.threads > most)
    c.advice = fmt::format(
        "more threads than cores to be had: give --threads {:.0f}, or set "
        "OMP_NUM_THREADS",
        std::floor(most));
  else if (f.allowed && here.threads < std::floor(most))
    c.advice =
        fmt::format("{0:.0f} cores are to be had: unset OMP_NUM_THREADS, or give --threads {0:.0f}",
                    std::floor(most));
  return c;
}

Check memory(const MachineFacts& f) {
  Check c{"memory",
          fmt::format("{} available of {}{}",
                      f.memory_available > 0 ? bytes(f.memory_available) : "unknown",
                      f.memory_total ? bytes(*f.memory_total) : "unknown",
                      f.memory_limit ? ", control groups allow " + bytes(*f.memory_limit) : ""),
          {{"available", f.memory_available > 0 ? Json(f.memory_available) : Json(nullptr)},
           {"total", known(f.memory_total)},
           {"limit", known(f.memory_limit)}},
          ""};
  if (f.memory_available > 0 && f.memory_available < kLittleMemory)
    c.advice =
        "little memory: see what a run needs with --dry-run; --recompute and --grad-accum "
        "take less";
  return c;
}

Check huge_pages(const MachineFacts& f) {
  Check c{"huge pages", or_unknown(f.huge_pages), {{"transparent", known(f.huge_pages)}}, ""};
  if (f.huge_pages == "never")
    c.advice =
        "large models train slower without them: as root, echo madvise > "
        "/sys/kernel/mm/transparent_hugepage/enabled";
  return c;
}

Check onednn(const Surroundings& here) {
  Check c{"oneDNN",
          fmt::format("{}, matmul by {}", here.onednn,
                      here.product.empty() ? "a reference implementation" : here.product),
          {{"version", here.onednn},
           {"matmul", here.product.empty() ? Json(nullptr) : Json(here.product)}},
          ""};
  if (here.product.empty())
    c.advice =
        "oneDNN has no fast matmul for this CPU, so nothing will train; unset "
        "ONEDNN_MAX_CPU_ISA and DNNL_MAX_CPU_ISA, or take a CPU with AVX2";
  return c;
}

Check peak(const MachineTimes& t) {
  Check c{"peak", fmt::format("{:.0f} GFLOP/s f32 (FMA)", t.gflops), {{"gflops", t.gflops}}, ""};
  return c;
}

Check neighbours(const MachineFacts& f, const MachineTimes& t, const Surroundings& here) {
  const double even = t.gflops > 0 ? t.slow_gflops / t.gflops : 1;
  Check c{
      "neighbours",
      fmt::format("nine of ten short runs reach {:.0f} % of the peak; stolen by the hypervisor: "
                  "{}; load: {}",
                  100 * even, t.stolen ? fmt::format("{:.1f} %", 100 * *t.stolen) : "unknown",
                  f.load ? fmt::format("{:.2f}", *f.load) : "unknown"),
      {{"evenness", even}, {"stolen", known(t.stolen)}, {"load", known(f.load)}},
      ""};
  const double cores = f.cpus.value_or(here.threads);
  if (t.stolen && *t.stolen > kMuchStolen)
    c.advice = "other guests take this machine's cores: times are not to be trusted; losses are";
  else if (f.load && *f.load > kBusy * cores)
    c.advice =
        "something else is running: see top(1); speeds are of use only when compared in turns, "
        "as compare and profile do";
  else if (even < kUneven)
    c.advice =
        "the same work takes more time at one moment than at another: a busy neighbour, or a "
        "CPU that changes its clock; compare speeds in turns";
  return c;
}

Check numa(const MachineFacts& f) {
  Check c{"NUMA nodes", count(f.numa_nodes), {{"nodes", known(f.numa_nodes)}}, ""};
  if (f.numa_nodes.value_or(1) > 1)
    c.advice =
        "threads of one run on several nodes wait for each other's memory: numactl "
        "--cpunodebind=0 --membind=0 isodrop …, or compare with --jobs of a node each";
  return c;
}

Check power(const MachineFacts& f) {
  Check c{"power",
          fmt::format("governor {}{}", or_unknown(f.governor),
                      f.scaling_driver ? " (" + *f.scaling_driver + ")" : ""),
          {{"governor", known(f.governor)}, {"driver", known(f.scaling_driver)}},
          ""};
  // These two drivers raise the clock under load whatever the governor is called.
  const bool adapts = f.scaling_driver == "intel_pstate" || f.scaling_driver == "amd-pstate-epp";
  if (f.governor == "powersave" && !adapts)
    c.advice = "the CPU stays at its lowest clock: as root, cpupower frequency-set -g performance";
  return c;
}

Check disk(const Surroundings& here) {
  Check c{
      "disk",
      fmt::format("{} free at {}", here.disk_free ? bytes(*here.disk_free) : "unknown", here.store),
      {{"store", here.store}, {"free", known(here.disk_free)}},
      ""};
  if (here.disk_free && *here.disk_free < kLittleDisk)
    c.advice = "little room for runs and weights: free some, or set ISODROP_STORE to another disk";
  return c;
}

}  // namespace

MachineTimes measure_times(const fs::path& root) {
  const auto before = cpu_ticks(root);
  std::vector<double> gflops;
  for (int i = 0; i < kRuns; ++i) gflops.push_back(ops::fma_peak_gflops(1, kRunSeconds));
  const auto after = cpu_ticks(root);
  MachineTimes t;
  t.gflops = *std::max_element(gflops.begin(), gflops.end());
  t.slow_gflops = base::quantile(gflops, 0.1);
  if (before && after && after->all > before->all)
    t.stolen = std::clamp((after->stolen - before->stolen) / (after->all - before->all), 0.0, 1.0);
  return t;
}

Surroundings surroundings(const fs::path& store) {
  const Build& build = this_build();
  Surroundings s;
  s.threads = base::max_threads();
  s.built_for = build.isa;
  s.onednn = ops::onednn_version();
  try {
    constexpr std::int64_t n = 256;
    s.product = ops::Matmul({n, n, n, n, 1, n, 1, n}).implementation();
  } catch (const base::Error&) {  // oneDNN has only a reference implementation
  }
  s.versions = to_string(build);
  s.store = store.string();
  std::error_code code;
  fs::path folder = fs::absolute(store, code);
  while (!code && !fs::exists(folder, code) && folder.has_parent_path() &&
         folder != folder.parent_path())
    folder = folder.parent_path();
  const fs::space_info space = fs::space(folder, code);
  if (!code) s.disk_free = static_cast<double>(space.available);
  return s;
}

std::vector<Check> examine(const MachineFacts& f, const MachineTimes& t, const Surroundings& here) {
  return {cpu(f, here),
          threads(f, here),
          memory(f),
          huge_pages(f),
          onednn(here),
          peak(t),
          neighbours(f, t, here),
          numa(f),
          power(f),
          disk(here),
          {"versions", here.versions, {{"build", here.versions}}, ""}};
}

}  // namespace lab
