#include "engine/plan.h"

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "engine/plan_internal.h"

namespace engine {
namespace {

constexpr unsigned char kGuardByte = 0xA5;
constexpr int kNaNByte = 0xFF;  // 0xFFFFFFFF is a NaN

}  // namespace

Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

std::size_t Plan::arena_bytes() const { return arena_bytes_; }

void Plan::lend(std::span<std::byte> arena) {
  base::require(!prepared_, "plan: memory lent after prepare()");
  base::require(arena.size() >= arena_bytes_, "plan: ", arena.size(), " bytes lent, ", arena_bytes_,
                " needed");
  arena_ = arena;
}

void Plan::prepare() {
  if (prepared_) return;
  base::require(tape_.params().allocated(), "plan: parameters are not allocated yet");
  if (arena_.empty()) {
    own_ = Buffer(arena_bytes_);
    arena_ = {own_.data(), own_.size()};
  }
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
    base::require(node.in.size() <= wants.size(), node.name, ": too many inputs");
    for (std::size_t k = 0; k < node.in.size(); ++k) {
      wants[k] = k < call.din.size() && call.din[k].view.data != nullptr;
      param[k] = tape_.value(node.in[k]).param >= 0;
    }
    tape_.nodes()[at(events_[e].node)].op->build({std::span(wants).first(node.in.size()),
                                                  std::span(param).first(node.in.size()),
                                                  options_.training, &options_.tuning});
  }
  prepared_ = true;
}

void Plan::bind(Ref input, void* data) {
  const Value& v = tape_.value(input);
  base::require(v.producer < 0 && v.param < 0, "bind ", v.name, ": not an input");
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
  const float rate =
      call.randomness->rate ? static_cast<float>(call.randomness->rate(step.progress)) : 0.0F;
  const Frame frame{call.in,
                    call.out,
                    call.din,
                    call.dout,
                    call.state,
                    call.saved,
                    call.scratch,
                    step,
                    call.randomness->site,
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
      base::require(guard[i] == std::byte{kGuardByte}, tape_.nodes()[at(events_[index].node)].name,
                    ": wrote past the end of a buffer of ", s.bytes, " bytes");
    if (s.last == static_cast<int>(index)) std::memset(arena_.data() + s.offset, kNaNByte, s.bytes);
  }
}

void Plan::forward(const Step& step) {
  prepare();
  for (const Ref r : inputs_)
    base::require(bound_[at(r.id)] != nullptr, tape_.value(r).name,
                  ": no memory is bound to this input");
  for (std::size_t e = 0; e < backward_begin_; ++e) run(e, step, false);
}

void Plan::backward(const Step& step, bool accumulate,
                    const std::function<void(int param)>& complete) {
  base::require(options_.training, "plan: backward() of a plan that was made without");
  base::require(prepared_, "plan: backward() before forward()");
  auto next = completions_.begin();
  const auto tell_until = [&](int event) {
    for (; next != completions_.end() && next->event <= event; ++next) complete(next->param);
  };
  if (complete) tell_until(-1);
  for (std::size_t e = backward_begin_; e < events_.size(); ++e) {
    run(e, step, accumulate);
    if (complete) tell_until(static_cast<int>(e));
  }
}

View Plan::view(Ref r) const {
  const Value& v = tape_.value(r);
  if (v.param >= 0) return {tape_.params().value(v.param), v.dtype, &v.shape};
  if (v.producer < 0) return {bound_[at(r.id)], v.dtype, &v.shape};
  const int slot = value_slot_[at(r.id)];
  base::require(slot >= 0, v.name, ": is not kept by this plan");
  return {arena_.data() + slots_[at(slot)].offset, v.dtype, &v.shape};
}

Cost Plan::cost() const {
  Cost sum;
  for (const Event& e : events_) {
    const Op& op = *tape_.nodes()[static_cast<std::size_t>(e.node)].op;
    const Cost one = op.cost(e.kind == Event::Kind::kBackward ? Pass::kBackward : Pass::kForward);
    sum.flops += one.flops, sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace engine
