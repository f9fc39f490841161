// Gives the calls their memory: who needs which slot when.
#include <array>
#include <utility>

#include "engine/plan_internal.h"

namespace engine {
namespace {

std::size_t bytes_of(const Value& v) {
  return static_cast<std::size_t>(v.shape.numel()) * engine::bytes_of(v.dtype);
}

}  // namespace

/// Gives every value, gradient, saved and scratch buffer a slot with its lifetime.
struct Plan::Build {
  Plan& plan;
  const EventOrder& order;
  std::vector<std::array<int, 2>> value_slots, saved_slots;  // [replayed]
  std::vector<int> grad_slots;
  std::vector<bool> grad_written;

  Build(Plan& p, const EventOrder& s)
      : plan(p),
        order(s),
        value_slots(p.tape_.values().size(), {-1, -1}),
        saved_slots(p.tape_.nodes().size(), {-1, -1}),
        grad_slots(p.tape_.values().size(), -1),
        grad_written(p.tape_.values().size(), false) {}

  int touch(int& slot, std::size_t bytes, int event) {
    if (bytes == 0) return -1;
    if (slot < 0) {
      slot = static_cast<int>(plan.slots_.size());
      plan.slots_.push_back({bytes, -1, -1, 0});
    }
    plan.slots_[at(slot)].touch(event);
    return slot;
  }

  const Value& value(Ref r) const { return plan.tape_.value(r); }
  bool external(Ref r) const { return value(r).producer < 0; }

  /// Which instance of a value an event other than the first forward pass reads.
  std::size_t instance(Ref r, Event::Kind kind) const {
    const int p = value(r).producer;
    return kind != Event::Kind::kForward && p >= 0 && order.replayed[at(p)] ? 1 : 0;
  }

  int touch_value(Ref r, Event::Kind kind, int event) {
    if (external(r)) return -1;
    return touch(value_slots[at(r.id)][instance(r, kind)], bytes_of(value(r)), event);
  }

  void run_forward(Call& call, const Node& node, int node_index, Event::Kind kind, int event) {
    const std::size_t which = kind == Event::Kind::kReplay ? 1 : 0;
    for (const Ref r : node.in) call.in_slots.push_back(touch_value(r, kind, event));
    call.out_slot = touch(value_slots[at(node.out.id)][which], bytes_of(value(node.out)), event);
    const Needs needs = node.op->needs();
    call.saved_slot = touch(saved_slots[at(node_index)][which], needs.saved, event);
    int scratch = -1;
    call.scratch_slot = touch(scratch, needs.scratch_forward, event);
  }

  void run_backward(Call& call, const Node& node, int node_index, int event) {
    const Needs needs = node.op->needs();
    const auto kind = Event::Kind::kBackward;
    const std::size_t which = order.replayed[at(node_index)] ? 1 : 0;
    for (std::size_t k = 0; k < node.in.size(); ++k)
      call.in_slots.push_back((needs.inputs >> k & 1) != 0 ? touch_value(node.in[k], kind, event)
                                                           : -1);
    if (needs.output || needs.terminal)
      call.out_slot = touch(value_slots[at(node.out.id)][which], bytes_of(value(node.out)), event);
    call.saved_slot = touch(saved_slots[at(node_index)][which], needs.saved, event);
    int scratch = -1;
    call.scratch_slot = touch(scratch, needs.scratch_backward, event);
    if (!(node.out == plan.out_)) {
      call.dout_slot = grad_slots[at(node.out.id)];
      base::require(call.dout_slot >= 0, node.name, ": no gradient reaches it");
      plan.slots_[at(call.dout_slot)].touch(event);
    }
    bool aliased = false;
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      const Ref r = node.in[k];
      Grad grad;
      int slot = -1;
      if (order.wants[at(r.id)]) {
        grad.add = grad_written[at(r.id)];
        if (external(r)) {
          if (!grad.add) call.first_param_writes.push_back(k);
        } else {
          int& own = grad_slots[at(r.id)];
          const bool passes = (needs.pass_through >> k & 1) != 0 && call.dout_slot >= 0 &&
                              std::count(node.in.begin(), node.in.end(), r) == 1;
          if (own < 0 && passes && !aliased) {
            own = call.dout_slot;
            aliased = true;
          }
          slot = touch(own, bytes_of(value(r)), event);
        }
        grad_written[at(r.id)] = true;
      }
      call.din.push_back(grad);
      call.din_slots.push_back(slot);
    }
  }
};

Plan::Plan(Tape tape, Ref out, PlanOptions options)
    : tape_(std::move(tape)),
      out_(out),
      options_(std::move(options)),
      value_slot_(tape_.values().size(), -1),
      bound_(tape_.values().size(), nullptr),
      loss_scale_(std::make_unique<float>(1.0F)) {
  options_.keep.push_back(out_);
  const EventOrder order = make_event_order(tape_, out_, options_);
  events_ = order.events;
  backward_begin_ = order.backward_begin;
  Build build(*this, order);
  for (std::size_t e = 0; e < events_.size(); ++e) {
    const auto [kind, index] = events_[e];
    const Node& node = tape_.nodes()[at(index)];
    Call call;
    call.op = node.op.get();
    call.kind = kind;
    call.randomness = &node.randomness;
    if (kind == Event::Kind::kBackward)
      build.run_backward(call, node, index, static_cast<int>(e));
    else
      build.run_forward(call, node, index, kind, static_cast<int>(e));
    calls_.push_back(std::move(call));
  }
  const int end = static_cast<int>(events_.size());
  for (const Ref r : options_.keep) {
    if (const int slot = build.value_slots[at(r.id)][0]; slot >= 0) {
      slots_[at(slot)].last = end;
      value_slot_[at(r.id)] = slot;
    }
  }
  std::vector<Lifetime> lifetimes;
  for (const Slot& s : slots_)
    lifetimes.push_back({align_up(s.bytes) + (options_.poison ? kGuard : 0), s.first, s.last});
  const Layout layout = plan_memory(lifetimes);
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].offset = layout.offsets[i];
  arena_bytes_ = layout.total;

  for (std::size_t i = 0; i < tape_.values().size(); ++i) {
    const Ref r{static_cast<int>(i)};
    const auto reads = [&](const Node& n) {
      return std::find(n.in.begin(), n.in.end(), r) != n.in.end();
    };
    const Value& v = tape_.value(r);
    if (v.producer < 0 && v.param < 0 &&
        std::any_of(tape_.nodes().begin(), tape_.nodes().end(), reads))
      inputs_.push_back(r);
  }

  if (options_.training) completions_ = find_completions(tape_, order);

  // Which inputs want gradients is needed to build primitives.
  for (std::size_t e = 0; e < events_.size(); ++e) {
    if (events_[e].kind != Event::Kind::kBackward) continue;
    const Node& node = tape_.nodes()[at(events_[e].node)];
    for (std::size_t k = 0; k < node.in.size(); ++k)
      if (order.wants[at(node.in[k].id)]) calls_[e].din[k].view.shape = &tape_.shape(node.in[k]);
  }
}

}  // namespace engine
