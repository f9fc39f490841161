// A profile of four steps, made by hand so that its figures are round.
#pragma once
#include "lab/inspect/profile.h"

namespace tests {

inline constexpr lab::Roof kRoof{100, 10};  // GFLOP/s, GB/s

/// A product of two micro-steps; the typical steps are those of 20 and 30 ms. The observer made
/// them 1.25 times as long.
inline lab::ArmProfile four_steps() {
  using Kind = engine::Event::Kind;
  lab::ArmProfile p;
  p.name = "a";
  p.nodes = {{"head", "matmul", -1}};
  p.events = {{0, Kind::kForward, {2e6, 1e4}, "jit, packed"}, {0, Kind::kBackward, {4e6, 2e4}}};
  p.micro_steps = 2;
  p.optimizer = {1e6, 4e5};
  p.tokens = 80;
  p.flops = 4e7;
  const double ms = 1e-3;
  p.samples = {{30 * ms, 3 * ms, 4 * ms, {6 * ms, 9 * ms}},
               {10 * ms, 1 * ms, 2 * ms, {2 * ms, 3 * ms}},
               {100 * ms, 1 * ms, 4 * ms, {50 * ms, 30 * ms}},
               {20 * ms, 1 * ms, 4 * ms, {4 * ms, 6 * ms}}};
  for (const lab::StepSample& s : p.samples) p.plain.push_back(s.wall / 1.25);
  return p;
}

}  // namespace tests
