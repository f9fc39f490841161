// What a plan is made of, and in which order its ops are called; for plan.cpp, plan_build.cpp and
// event_order.cpp alone.
#pragma once
#include <algorithm>
#include <vector>

#include "engine/memory_plan.h"
#include "engine/plan.h"

namespace engine {

constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

inline constexpr std::size_t kGuard = kAlign;  // bytes behind a buffer when poisoning

/// A buffer in the arena and its lifetime in events.
struct Plan::Slot {
  std::size_t bytes = 0;
  int first = -1, last = -1;
  std::size_t offset = 0;
  void touch(int event) {
    if (first < 0) first = event;
    last = std::max(last, event);
  }
};

/// An event with its memory.
struct Plan::Call {
  const Op* op = nullptr;
  Event::Kind kind = Event::Kind::kForward;
  const Randomness* randomness = nullptr;
  // Slot numbers, resolved to memory by prepare(); -1: none or external.
  std::vector<int> in_slots, din_slots;
  int out_slot = -1, dout_slot = -1, saved_slot = -1, scratch_slot = -1;
  std::vector<std::size_t> first_param_writes;  // din whose `add` is the micro-step's `accumulate`
  std::vector<View> in, state;
  std::vector<Grad> din;
  View out, dout;
  std::span<std::byte> saved, scratch;
};

/// The order of calls: forward, backward, and what runs again in between.
struct EventOrder {
  std::vector<Event> events;
  std::size_t backward_begin = 0;
  std::vector<bool> wants;     // per value: a gradient is needed
  std::vector<bool> replayed;  // per node: forward() runs again before its output is read back
};

/// REQUIRES: when training, `loss` has one element and depends on a parameter.
EventOrder make_event_order(const Tape& tape, Ref loss, const PlanOptions& options);

/// What Plan::completions() gives.
std::vector<Completion> find_completions(const Tape& tape, const EventOrder& order);

}  // namespace engine
