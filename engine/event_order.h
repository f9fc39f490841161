// Decides the order of calls: forward, backward, and what is run again in between.
#pragma once
#include <vector>

#include "engine/plan.h"

namespace engine {

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
