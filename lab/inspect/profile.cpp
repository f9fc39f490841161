// Observed steps and plain ones, in turns.
#include "lab/inspect/profile.h"

#include <algorithm>
#include <memory>

#include "ops/peak.h"
#include "train/trainer.h"

namespace lab {
namespace {

constexpr std::int64_t kMinRounds = 3;

/// Adds up what a step's parts take, and keeps the first of them one by one for a trace.
class StepTimes final : public train::StepObserver {
 public:
  StepTimes(std::size_t events, std::size_t trace_events, base::Stopwatch zero)
      : most_(trace_events), zero_(zero) {
    now_.events.resize(events);
    trace_.reserve(trace_events);
  }

  void event(std::size_t index, double seconds) override {
    now_.events[index] += seconds;
    slice(static_cast<int>(index), seconds);
  }

  void phase(Phase phase, double seconds) override {
    const bool data = phase == Phase::kData;
    (data ? now_.data : now_.optimizer) += seconds;
    slice(data ? TraceSlice::kData : TraceSlice::kOptimizer, seconds);
  }

  void begin() {
    std::fill(now_.events.begin(), now_.events.end(), 0.0);
    now_.data = now_.optimizer = 0;
  }

  const StepSample& end(double wall) {
    now_.wall = wall;
    slice(TraceSlice::kStep, wall);
    return now_;
  }

  std::vector<TraceSlice> take_trace() { return std::move(trace_); }

 private:
  void slice(int event, double seconds) {
    if (trace_.size() < most_) trace_.push_back({event, zero_.seconds() - seconds, seconds});
  }

  StepSample now_;
  std::vector<TraceSlice> trace_;
  std::size_t most_;
  base::Stopwatch zero_;
};

ArmProfile describe(const Arm& arm, train::Trainer& trainer) {
  ArmProfile p;
  p.name = arm.name;
  p.micro_steps = arm.settings.micro_steps();
  p.tokens = trainer.tokens_per_step();
  p.flops = trainer.flops_per_step();
  p.optimizer = train::AdamW::cost(trainer.params());
  const engine::Plan& plan = trainer.plan();
  for (const engine::Node& n : plan.tape().nodes())
    p.nodes.push_back({n.name, std::string(n.op->name()), n.segment});
  for (const engine::Event& e : plan.events()) {
    const auto pass =
        e.kind == engine::Event::Kind::kBackward ? engine::Pass::kBackward : engine::Pass::kForward;
    const engine::Op& op = *plan.tape().nodes()[static_cast<std::size_t>(e.node)].op;
    p.events.push_back({e.node, e.kind, op.cost(pass), op.describe(pass)});
  }
  return p;
}

/// One arm under measurement.
class Subject {
 public:
  Subject(const Arm& arm, const train::Task& corpus, const ProfileOptions& options,
          std::size_t trace_events, base::Stopwatch zero)
      : progress_(options.progress),
        timer_(arm.settings, corpus),
        profile_(describe(arm, timer_.trainer())),
        times_(profile_.events.size(), trace_events, zero) {}

  double step() {
    const double seconds = timer_.step(progress_);
    profile_.loss = timer_.loss();
    return seconds;
  }

  void plain_step() { profile_.plain.push_back(step()); }

  void observed_step() {
    timer_.trainer().observe(&times_);
    times_.begin();
    profile_.samples.push_back(times_.end(step()));
    timer_.trainer().observe(nullptr);
  }

  ArmProfile take() {
    profile_.trace = times_.take_trace();
    return std::move(profile_);
  }

 private:
  double progress_;
  train::StepTimer timer_;
  ArmProfile profile_;
  StepTimes times_;
};

}  // namespace

double Roof::least_seconds(const engine::Cost& cost) const {
  return std::max(cost.flops / gflops, cost.bytes / gbps) * 1e-9;
}

Profile measure_profile(const std::vector<Arm>& arms, const train::Task& corpus,
                        const ProfileOptions& options) {
  Profile result;
  result.progress = options.progress;
  const base::Stopwatch zero;
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const Arm& arm : arms)
    subjects.push_back(
        std::make_unique<Subject>(arm, corpus, options, options.trace_events / arms.size(), zero));
  result.roof = {ops::fma_peak_gflops(), ops::memory_gbps()};
  for (int i = 0; i < train::StepTimer::kWarmUp; ++i)
    for (auto& s : subjects) s->step();
  const base::Stopwatch watch;
  for (std::int64_t round = 0; round < options.steps; ++round) {
    if (round >= kMinRounds && watch.seconds() > options.seconds) break;
    // Who goes first alternates, so that a machine that slows down favours neither.
    for (auto& s : subjects) {
      if (round % 2 == 0) s->plain_step();
      s->observed_step();
      if (round % 2 == 1) s->plain_step();
    }
  }
  for (auto& s : subjects) result.arms.push_back(s->take());
  return result;
}

}  // namespace lab
