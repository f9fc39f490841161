// lab/inspect: what can be seen of one model from outside. `profile` is where a training step's
// time goes (profile measures, profile_table makes rows of the samples, profile_render and trace
// print them); probe_render prints what lab/probe has measured. Reads tapes, plans and trainers and
// changes none of them. May include train and below, lab/probe, lab/stats, the arms of lab/study
// and the tables of lab/report; only cli includes it.
//
// This file: every op, the optimizer and the data of a step, timed in place.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "lab/study/arm.h"
#include "train/tasks/task.h"

namespace lab {

/// The machine's limits, measured.
struct Roof {
  double gflops = 0, gbps = 0;
  /// Seconds that work of this cost takes at the least if all of its bytes come from memory.
  double least_seconds(const engine::Cost& cost) const;
};

/// One profiled step, in seconds.
struct StepSample {
  double wall = 0, data = 0, optimizer = 0;
  std::vector<double> events;  // the calls of each event, added up over the micro-steps
};

/// A piece of a step on the clock of the profile.
struct TraceSlice {
  int event = -1;  // of the plan, or one of the below
  double start = 0, seconds = 0;
  static constexpr int kStep = -1, kData = -2, kOptimizer = -3;
};

struct ArmProfile {
  struct Node {
    std::string name, op;
    int layer = -1;  // -1: in none
  };
  struct Call {  // an event of the plan
    int node = 0;
    engine::Event::Kind kind = engine::Event::Kind::kForward;
    engine::Cost cost;
    std::string how = {};  // Op::describe()
  };
  std::string name;
  std::vector<Node> nodes;
  std::vector<Call> events;
  std::int64_t micro_steps = 1;
  engine::Cost optimizer;
  double tokens = 0, flops = 0;     // of a step, by the convention of the budgets
  std::vector<StepSample> samples;  // a round each
  std::vector<double> plain;        // seconds of the same round's step without the observer
  std::vector<TraceSlice> trace;    // of the first steps, in the order of their ends
  double loss = 0;                  // of the last step, nats: what was timed trains as a run does
};

struct ProfileOptions {
  std::int64_t steps = 101;      // at most
  double progress = 0.5;         // share of the budget spent, of which rates are a function
  double seconds = 10;           // stop after so long, but not before 3 rounds
  std::size_t trace_events = 0;  // at most so many slices in all
};

struct Profile {
  Roof roof;
  double progress = 0;  // at which the steps were made
  std::vector<ArmProfile> arms;
};

/// Measures the roof, then, round by round, a step of every arm with and one without the observer,
/// in turns.
Profile measure_profile(const std::vector<Arm>& arms, const train::Task& corpus,
                        const ProfileOptions& options);

}  // namespace lab
