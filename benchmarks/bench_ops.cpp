// Speed of every op in the op-case table, forward and backward, with the GF/s and GB/s that its
// cost() says: `bench_ops [--threads=N] [--all] [Google Benchmark's flags]`. Only the op's own
// calls are timed. `--all` takes the rows that are too small to say much as well.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

#include "tests/ops/op_harness.h"

namespace {

using engine::Event;
using engine::Pass;
using tests::OpCase;

/// Seconds of one node's calls.
class NodeClock final : public engine::Observer {
 public:
  NodeClock(const engine::Plan& plan, int node, Pass pass) {
    const auto kind = pass == Pass::kForward ? Event::Kind::kForward : Event::Kind::kBackward;
    for (std::size_t e = 0; e < plan.events().size(); ++e)
      if (plan.events()[e].node == node && plan.events()[e].kind == kind) event_ = e;
  }
  void event(std::size_t index, double seconds) override {
    if (index == event_) seconds_ = seconds;
  }
  double seconds() const { return seconds_; }

 private:
  std::size_t event_ = 0;
  double seconds_ = 0;
};

void run(benchmark::State& state, const OpCase& c, Pass pass) {
  const tests::Point point = tests::make_point(c);
  tests::RecordedCase recorded(c, point, {});
  engine::Plan& plan = recorded.plan();
  NodeClock clock(plan, recorded.node(), pass);
  plan.observe(&clock);
  plan.forward(point.step);
  if (c.trains()) plan.backward(point.step);
  for (auto _ : state) {
    plan.forward(point.step);
    if (pass == Pass::kBackward) plan.backward(point.step);
    state.SetIterationTime(clock.seconds());
  }
  const engine::Cost cost = recorded.op().cost(pass);
  using benchmark::Counter;
  state.counters["flop/s"] = Counter(cost.flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes/s"] = Counter(cost.bytes, Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  bool all = false;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--describe") {
      std::puts("forward and backward of every op, in GF/s and GB/s");
      return 0;
    }
    if (arg == "--all") {
      all = true;
    } else if (constexpr std::string_view kThreads = "--threads="; arg.starts_with(kThreads)) {
      int threads = 0;
      std::from_chars(arg.data() + kThreads.size(), arg.data() + arg.size(), threads);
      if (threads < 1) {
        std::fprintf(stderr, "%s: a number of threads from 1 up is needed\n", argv[i]);
        return 2;
      }
      omp_set_num_threads(threads);
    } else {
      argv[kept++] = argv[i];
    }
  }
  for (const OpCase& c : tests::op_cases()) {
    if (c.size == OpCase::Size::kSmall && !all) continue;
    for (const Pass pass : {Pass::kForward, Pass::kBackward}) {
      if (pass == Pass::kBackward && !c.trains()) continue;
      const char* suffix = pass == Pass::kForward ? "/forward" : "/backward";
      benchmark::RegisterBenchmark((c.name + suffix).c_str(),
                                   [&c, pass](benchmark::State& state) { run(state, c, pass); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::Initialize(&kept, argv);
  if (benchmark::ReportUnrecognizedArguments(kept, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(omp_get_max_threads()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
