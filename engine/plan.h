// Freezes a tape: schedule, memory, primitives. Then replays it, step after step, without
// allocating.
//
// Example:
//     engine::Params params;
//     engine::Tape tape(params);
//     const engine::Ref x = tape.input("x", {2, 3}, engine::DType::kF32);
//     const engine::Ref y = tape.input("y", {2}, engine::DType::kI32);
//     const engine::Ref w = tape.param("w", {3, 4}, {engine::Init::Kind::kNormal, 0.02});
//     const engine::Ref loss = ops::cross_entropy(tape, "loss", ops::matmul(tape, "fc", x, w), y);
//     engine::Plan plan(std::move(tape), loss, {});
//     params.allocate(1);  // seed
//     std::vector<float> points(6, 1.0F);
//     std::vector<std::int32_t> classes = {0, 3};
//     plan.bind(x, points.data());
//     plan.bind(y, classes.data());
//     plan.forward({.seed = 1});
//     plan.backward({.seed = 1});  // now plan.loss() and params.gradients() are known
//     assert(plan.loss() > 1 && plan.loss() < 2);  // near log 4
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/buffer.h"
#include "engine/tape.h"

namespace engine {

struct PlanOptions {
  bool training = true;    // with a backward pass
  bool recompute = false;  // keep only what crosses layers, run the rest again in backward
  // Elements from which on the output of a cheap op is computed again rather than kept: below,
  // keeping it costs little memory and no time.
  std::int64_t replay_from = std::int64_t{1} << 21;
  std::vector<Ref> keep = {};  // values that must survive the whole step
  bool poison = false;         // debugging: dead memory is NaN, overruns are found
  Tuning tuning = {};          // measurements that ops may make when they are built
};

/// One call of one op within a step.
struct Event {
  enum class Kind : std::uint8_t { kForward, kReplay, kBackward } kind = Kind::kForward;
  int node = -1;
};

/// The event behind which a parameter's gradient is complete: the last backward call that writes to
/// it; -1 if none does.
struct Completion {
  int event = -1, param = -1;
};

/// Called around every event when set (profiler, tests).
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void event(std::size_t index, double seconds) = 0;
};

class Plan {
 public:
  /// `out`: the scalar loss when training, otherwise any value. Parameters are allocated by the
  /// caller, before or after; `prepare()` runs at the first step.
  Plan(Tape tape, Ref out, PlanOptions options);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  /// Bytes of the arena, known without allocating it.
  std::size_t arena_bytes() const;
  /// Works in `arena`, arena_bytes() or more aligned to kAlign that outlive this, instead of memory
  /// of its own: plans that take turns can share it, each losing its values to the next one's step.
  /// REQUIRES: before prepare().
  void lend(std::span<std::byte> arena);
  /// Allocates the arena if none was lent and builds the primitives. REQUIRES: parameters are
  /// allocated.
  void prepare();

  /// The memory of an input, read at the next step.
  void bind(Ref input, void* data);
  /// Gradients are of loss · scale (1/micro-steps for gradient accumulation). Default 1.
  void set_loss_scale(float scale);
  /// Throws Error if an input that is read has no memory bound.
  void forward(const Step& step);
  /// Gradients of the parameters are assigned, or added to where `accumulate`.
  /// `complete`, where given, is told each trainable parameter as soon as its gradient is complete,
  /// in the order of completions(); what it throws, this throws.
  /// REQUIRES: forward() of the same step has run.
  void backward(const Step& step, bool accumulate = false,
                const std::function<void(int param)>& complete = {});

  /// Where a value lives: the output, a kept value or a parameter.
  View view(Ref r) const;
  float loss() const { return *view(out_).f32(); }

  /// Of all events of a step together.
  Cost cost() const;

  const Tape& tape() const { return tape_; }
  const std::vector<Event>& events() const { return events_; }
  /// Of all trainable parameters that were declared when this was made, by event.
  const std::vector<Completion>& completions() const { return completions_; }
  void observe(Observer* observer) { observer_ = observer; }

 private:
  struct Slot;   // a buffer in the arena
  struct Call;   // an event with its memory resolved
  struct Build;  // scratch state of the constructor
  void run(std::size_t index, const Step& step, bool accumulate);
  void poison_before(std::size_t index);
  void poison_after(std::size_t index);

  Tape tape_;
  Ref out_;
  PlanOptions options_;
  std::vector<Event> events_;
  std::vector<Completion> completions_;
  std::size_t backward_begin_ = 0;  // index of the first event of backward()
  std::vector<Slot> slots_;
  std::vector<Call> calls_;
  std::vector<int> value_slot_;  // per value: slot of what view() gives
  std::vector<void*> bound_;     // per value: external memory
  std::vector<Ref> inputs_;      // that some op reads
  std::size_t arena_bytes_ = 0;
  Buffer own_;  // the arena, if none was lent
  std::span<std::byte> arena_;
  std::unique_ptr<float> loss_scale_;
  Observer* observer_ = nullptr;
  bool prepared_ = false;
};

}  // namespace engine
