#include <algorithm>

#include "engine/plan_internal.h"

namespace engine {
namespace {

/// Values that depend on a trainable parameter.
std::vector<bool> wanted(const Tape& tape) {
  std::vector<bool> wants(tape.values().size(), false);
  for (std::size_t i = 0; i < wants.size(); ++i) {
    const Value& v = tape.values()[i];
    if (v.param >= 0) {
      wants[i] = tape.params()[v.param].trainable;
    } else if (v.producer >= 0) {
      for (const Ref r : tape.nodes()[at(v.producer)].in) wants[i] = wants[i] || wants[at(r.id)];
    }
  }
  return wants;
}

/// Nodes whose output is not kept for backward: large cheap ones always, with `recompute` also
/// every replayable one whose output stays within its layer.
std::vector<bool> choose_replayed(const Tape& tape, const PlanOptions& options) {
  const auto& nodes = tape.nodes();
  std::vector<bool> replayed(nodes.size(), false), leaves(nodes.size(), false);
  for (const Node& node : nodes)
    for (const Ref r : node.in)
      if (const int p = tape.value(r).producer; p >= 0 && nodes[at(p)].segment != node.segment)
        leaves[at(p)] = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Needs needs = nodes[i].op->needs();
    const bool kept =
        std::find(options.keep.begin(), options.keep.end(), nodes[i].out) != options.keep.end();
    if (kept || !needs.replayable) continue;
    const bool large = tape.shape(nodes[i].out).numel() >= options.replay_from;
    replayed[i] =
        (needs.cheap && large) || (options.recompute && nodes[i].segment >= 0 && !leaves[i]);
  }
  return replayed;
}

struct Replayer {
  const Tape& tape;
  EventOrder& order;
  std::vector<bool> done;

  void node(int i) {
    if (i < 0 || !order.replayed[at(i)] || done[at(i)]) return;
    done[at(i)] = true;
    for (const Ref r : tape.nodes()[at(i)].in) node(tape.value(r).producer);
    order.events.push_back({Event::Kind::kReplay, i});
  }
};

}  // namespace

EventOrder make_event_order(const Tape& tape, Ref loss, const PlanOptions& options) {
  const auto& nodes = tape.nodes();
  EventOrder s;
  s.wants = wanted(tape);
  s.replayed.assign(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (options.training && nodes[i].op->needs().terminal) continue;
    s.events.push_back({Event::Kind::kForward, static_cast<int>(i)});
  }
  s.backward_begin = s.events.size();
  if (!options.training) return s;
  base::require(tape.shape(loss).numel() == 1, "loss: must be one number, has shape ",
                tape.shape(loss));
  base::require(s.wants[at(loss.id)], "loss: depends on no parameter");

  s.replayed = choose_replayed(tape, options);
  // A node takes part in backward when the loss depends on it.
  std::vector<bool> reached(tape.values().size(), false);
  reached[at(loss.id)] = true;
  Replayer replayer{tape, s, std::vector<bool>(nodes.size(), false)};
  for (int i = static_cast<int>(nodes.size()) - 1; i >= 0; --i) {
    const Node& node = nodes[at(i)];
    if (!reached[at(node.out.id)] || !s.wants[at(node.out.id)]) continue;
    const Needs needs = node.op->needs();
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      reached[at(node.in[k].id)] = true;
      if ((needs.inputs >> k & 1) != 0) replayer.node(tape.value(node.in[k]).producer);
    }
    if (needs.output || needs.saved > 0) replayer.node(i);
    s.events.push_back({Event::Kind::kBackward, i});
  }
  return s;
}

std::vector<Completion> find_completions(const Tape& tape, const EventOrder& order) {
  const auto& params = tape.params().list();
  std::vector<int> last_write(params.size(), -1);
  for (std::size_t e = order.backward_begin; e < order.events.size(); ++e) {
    if (order.events[e].kind != Event::Kind::kBackward) continue;
    for (const Ref r : tape.nodes()[at(order.events[e].node)].in)
      if (const int param = tape.value(r).param; param >= 0)
        last_write[at(param)] = static_cast<int>(e);
  }
  std::vector<Completion> found;
  for (std::size_t i = 0; i < params.size(); ++i)
    if (params[i].trainable) found.push_back({last_write[i], static_cast<int>(i)});
  std::stable_sort(found.begin(), found.end(),
                   [](const Completion& a, const Completion& b) { return a.event < b.event; });
  return found;
}

}  // namespace engine
