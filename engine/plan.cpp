#include "engine/plan.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "engine/memory_plan.h"
#include "engine/schedule.h"

namespace engine {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }
constexpr std::size_t kGuard = kAlign;  // bytes behind a buffer when poisoning
constexpr unsigned char kGuardByte = 0xA5;
constexpr int kNaNByte = 0xFF;  // 0xFFFFFFFF is a NaN

std::size_t bytes_of(const Value& v) {
  return static_cast<std::size_t>(v.shape.numel()) * engine::bytes_of(v.dtype);
}

}  // namespace

struct Plan::Slot {
  std::size_t bytes = 0;
  int first = -1, last = -1;
  std::size_t offset = 0;
  void touch(int event) {
    if (first < 0) first = event;
    last = std::max(last, event);
  }
};

struct Plan::Call {
  const Op* op = nullptr;
  Event::Kind kind = Event::Kind::kForward;
  const Hook* hook = nullptr;
  // Slot numbers, resolved to memory by prepare(); -1: none or external.
  std::vector<int> in_slots, din_slots;
  int out_slot = -1, dout_slot = -1, saved_slot = -1, scratch_slot = -1;
  std::vector<std::size_t> first_param_writes;  // din whose `add` is the micro-step's `accumulate`
  std::vector<View> in, state;
  std::vector<Grad> din;
  View out, dout;
  std::span<std::byte> saved, scratch;
};

/// Gives every value, gradient, saved and scratch buffer a slot with its lifetime.
struct Plan::Build {
  Plan& plan;
  const Schedule& schedule;
  std::vector<std::array<int, 2>> value_slots, saved_slots;  // [replayed]
  std::vector<int> grad_slots;
  std::vector<bool> grad_written;

  Build(Plan& p, const Schedule& s)
      : plan(p),
        schedule(s),
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
    return kind != Event::Kind::kForward && p >= 0 && schedule.replayed[at(p)] ? 1 : 0;
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
    const std::size_t which = schedule.replayed[at(node_index)] ? 1 : 0;
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
      require(call.dout_slot >= 0, node.name, ": no gradient reaches it");
      plan.slots_[at(call.dout_slot)].touch(event);
    }
    bool aliased = false;
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      const Ref r = node.in[k];
      Grad grad;
      int slot = -1;
      if (schedule.wants[at(r.id)]) {
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

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Plan::Plan(Tape tape, Ref out, PlanOptions options)
    : tape_(std::move(tape)),
      out_(out),
      options_(std::move(options)),
      value_slot_(tape_.values().size(), -1),
      bound_(tape_.values().size(), nullptr),
      loss_scale_(std::make_unique<float>(1.0F)) {
  options_.keep.push_back(out_);
  const Schedule schedule = make_schedule(tape_, out_, options_);
  events_ = schedule.events;
  backward_begin_ = schedule.backward_begin;
  Build build(*this, schedule);
  for (std::size_t e = 0; e < events_.size(); ++e) {
    const auto [kind, index] = events_[e];
    const Node& node = tape_.nodes()[at(index)];
    Call call;
    call.op = node.op.get();
    call.kind = kind;
    call.hook = &node.hook;
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

  // Which inputs want gradients is needed to build primitives.
  for (std::size_t e = 0; e < events_.size(); ++e) {
    if (events_[e].kind != Event::Kind::kBackward) continue;
    const Node& node = tape_.nodes()[at(events_[e].node)];
    for (std::size_t k = 0; k < node.in.size(); ++k)
      if (schedule.wants[at(node.in[k].id)]) calls_[e].din[k].view.shape = &tape_.shape(node.in[k]);
  }
}

std::size_t Plan::arena_bytes() const { return arena_bytes_; }

void Plan::prepare() {
  if (prepared_) return;
  require(tape_.params().allocated(), "plan: parameters are not allocated yet");
  arena_ = Buffer(arena_bytes_);
  if (options_.poison) std::memset(arena_.data(), kNaNByte, arena_bytes_);
  const auto memory = [&](int slot) -> std::byte* {
    return slot < 0 ? nullptr : arena_.data() + slots_[at(slot)].offset;
  };
  const auto span = [&](int slot) -> std::span<std::byte> {
    if (slot < 0) return {};
    return {memory(slot), slots_[at(slot)].bytes};
  };
  const auto resolve = [&](Ref r, int slot) -> View {
    const Value& v = tape_.value(r);
    void* data = v.param >= 0     ? static_cast<void*>(tape_.params().value(v.param))
                 : v.producer < 0 ? bound_[at(r.id)]
                                  : memory(slot);
    return {data, v.dtype, &v.shape};
  };
  std::vector<bool> built(tape_.nodes().size(), false);
  // Backward calls come later and know which gradients are wanted, so build from the back.
  for (std::size_t e = events_.size(); e-- > 0;) {
    Call& call = calls_[e];
    const Node& node = tape_.nodes()[at(events_[e].node)];
    for (std::size_t k = 0; k < node.in.size(); ++k)
      call.in.push_back(resolve(node.in[k], call.in_slots[k]));
    for (const Ref r : node.state) call.state.push_back(resolve(r, -1));
    call.out = resolve(node.out, call.out_slot);
    call.saved = span(call.saved_slot);
    call.scratch = span(call.scratch_slot);
    for (std::size_t k = 0; k < call.din.size(); ++k) {
      View& view = call.din[k].view;
      if (view.shape == nullptr) continue;
      const int param = tape_.value(node.in[k]).param;
      view.data =
          param >= 0 ? static_cast<void*>(tape_.params().grad(param)) : memory(call.din_slots[k]);
    }
    if (call.kind == Event::Kind::kBackward)
      call.dout = {
          node.out == out_ ? static_cast<void*>(loss_scale_.get()) : memory(call.dout_slot),
          DType::kF32, &tape_.shape(node.out)};
    if (built[at(events_[e].node)]) continue;
    built[at(events_[e].node)] = true;
    std::array<bool, 32> wants{}, param{};
    require(node.in.size() <= wants.size(), node.name, ": too many inputs");
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      wants[k] = k < call.din.size() && call.din[k].view.data != nullptr;
      param[k] = tape_.value(node.in[k]).param >= 0;
    }
    tape_.nodes()[at(events_[e].node)].op->build({std::span(wants).first(node.in.size()),
                                                  std::span(param).first(node.in.size()),
                                                  options_.training});
  }
  prepared_ = true;
}

void Plan::bind(Ref input, void* data) {
  const Value& v = tape_.value(input);
  require(v.producer < 0 && v.param < 0, "bind ", v.name, ": not an input");
  bound_[at(input.id)] = data;
  if (!prepared_) return;
  for (std::size_t e = 0; e < events_.size(); ++e) {
    const Node& node = tape_.nodes()[at(events_[e].node)];
    for (std::size_t k = 0; k < node.in.size(); ++k)
      if (node.in[k] == input) calls_[e].in[k].data = data;
  }
}

void Plan::set_loss_scale(float scale) { *loss_scale_ = scale; }

void Plan::run(std::size_t index, const Step& step, bool accumulate) {
  Call& call = calls_[index];
  for (const std::size_t k : call.first_param_writes) call.din[k].add = accumulate;
  const float rate = call.hook->rate ? static_cast<float>(call.hook->rate(step.progress)) : 0.0F;
  const Frame frame{call.in,
                    call.out,
                    call.din,
                    call.dout,
                    call.state,
                    call.saved,
                    call.scratch,
                    step,
                    call.hook->site,
                    rate,
                    call.kind == Event::Kind::kReplay};
  if (options_.poison) poison_before(index);
  if (observer_ == nullptr) {
    if (call.kind == Event::Kind::kBackward)
      call.op->backward(frame);
    else
      call.op->forward(frame);
  } else {
    const auto start = std::chrono::steady_clock::now();
    if (call.kind == Event::Kind::kBackward)
      call.op->backward(frame);
    else
      call.op->forward(frame);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    observer_->event(index, took.count());
  }
  if (options_.poison) poison_after(index);
}

void Plan::poison_before(std::size_t index) {
  for (const Slot& s : slots_) {
    if (s.first != static_cast<int>(index)) continue;
    std::memset(arena_.data() + s.offset, kNaNByte, s.bytes);
    std::memset(arena_.data() + s.offset + s.bytes, kGuardByte, kGuard);
  }
}

void Plan::poison_after(std::size_t index) {
  for (const Slot& s : slots_) {
    if (s.first > static_cast<int>(index) || s.last < static_cast<int>(index)) continue;
    const std::byte* guard = arena_.data() + s.offset + s.bytes;
    for (std::size_t i = 0; i < kGuard; ++i)
      require(guard[i] == std::byte{kGuardByte}, tape_.nodes()[at(events_[index].node)].name,
              ": wrote past the end of a buffer of ", s.bytes, " bytes");
    if (s.last == static_cast<int>(index)) std::memset(arena_.data() + s.offset, kNaNByte, s.bytes);
  }
}

void Plan::forward(const Step& step) {
  prepare();
  for (const Ref r : inputs_)
    require(bound_[at(r.id)] != nullptr, tape_.value(r).name, ": no memory is bound to this input");
  for (std::size_t e = 0; e < backward_begin_; ++e) run(e, step, false);
}

void Plan::backward(const Step& step, bool accumulate) {
  require(options_.training, "plan: backward() of a plan that was made without");
  require(prepared_, "plan: backward() before forward()");
  for (std::size_t e = backward_begin_; e < events_.size(); ++e) run(e, step, accumulate);
}

View Plan::view(Ref r) const {
  const Value& v = tape_.value(r);
  if (v.param >= 0) return {tape_.params().value(v.param), v.dtype, &v.shape};
  if (v.producer < 0) return {bound_[at(r.id)], v.dtype, &v.shape};
  const int slot = value_slot_[at(r.id)];
  require(slot >= 0, v.name, ": is not kept by this plan");
  return {arena_.data() + slots_[at(slot)].offset, v.dtype, &v.shape};
}

}  // namespace engine
