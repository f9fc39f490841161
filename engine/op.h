// What an op is: shapes, memory needs, forward, backward and cost. The engine knows no op by name.
//
// Example:
//     class Negate final : public engine::Op {
//      public:
//       std::string_view name() const override { return "negate"; }
//       engine::Shape infer(std::span<const engine::Shape> in) override { return in[0]; }
//       void forward(const engine::Frame& f) const override {
//         for (int i = 0; i < f.out.shape->numel(); ++i) f.out.f32()[i] = -f.in[0].f32()[i];
//       }
//       void backward(const engine::Frame& f) const override {
//         for (int i = 0; i < f.dout.shape->numel(); ++i)
//           f.din[0].f32()[i] = (f.din[0].add ? f.din[0].f32()[i] : 0) - f.dout.f32()[i];
//       }
//       engine::Cost cost(engine::Pass) const override { return {}; }
//     };
//     assert(Negate().infer(std::vector<engine::Shape>{{2, 3}}).str() == "(2,3)");
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/shape.h"
#include "engine/tuning.h"

namespace engine {

enum class DType : std::uint8_t { kF32, kI32 };
constexpr std::size_t bytes_of(DType) { return 4; }

enum class Pass : std::uint8_t { kForward, kBackward };

/// Names a value on a tape, owns nothing.
struct Ref {
  int id = -1;
  explicit operator bool() const { return id >= 0; }
  bool operator==(const Ref&) const = default;
};

/// Memory lent for one call.
struct View {
  void* data = nullptr;
  DType dtype = DType::kF32;
  const Shape* shape = nullptr;
  float* f32() const { return static_cast<float*>(data); }
  std::int32_t* i32() const { return static_cast<std::int32_t*>(data); }
};

/// Where to write a gradient. `add`: accumulate, else assign. `view.data` null: not wanted.
struct Grad {
  View view;
  bool add = false;
  explicit operator bool() const { return view.data != nullptr; }
  float* f32() const { return view.f32(); }
};

struct Cost {
  double flops = 0, bytes = 0;
};

/// All randomness and all schedules of one micro-step come from here.
struct Step {
  std::uint64_t seed = 0, index = 0;
  std::uint64_t first_row = 0;  // batch row of this micro-step within the whole batch
  double progress = 0;          // share of the budget spent, [0, 1]
};

/// What an op asks of the plan.
struct Needs {
  std::uint32_t inputs = ~0u;  // bit i: backward() reads input i again
  bool output = false;         // backward() reads the output again
  bool replayable = false;     // the plan may run forward() again instead of keeping the output
  bool cheap = false;          // and does so by default: running it again costs less than memory
  // bit i: din[i] equals dout, so the plan may hand out the very same memory for both
  std::uint32_t pass_through = 0;
  // The op ends the tape and its backward() also computes the output: in a plan with gradients its
  // forward() is not called and the loss is known after backward().
  bool terminal = false;
  std::size_t saved = 0;             // bytes kept from forward to backward
  std::size_t scratch_forward = 0;   // bytes for one forward call
  std::size_t scratch_backward = 0;  // bytes for one backward call
};

/// Known when primitives are built: which inputs want gradients and which are parameters (whose
/// `add` varies from call to call).
struct Build {
  std::span<const bool> wants, param;
  bool training = true;      // the plan has a backward pass
  Tuning* tuning = nullptr;  // what may be measured; never null
};

/// Everything one call may touch.
struct Frame {
  std::span<const View> in;
  View out;
  std::span<const Grad> din;
  View dout;
  std::span<const View> state;  // persistent, without gradient (running statistics)
  std::span<std::byte> saved, scratch;
  Step step;
  std::uint32_t site = 0;  // identifies the random stream of this node
  float rate = 0;          // of the node's regularizer at this moment
  bool replay = false;     // forward() runs again within backward: leave `state` alone

  template <class T>
  T* saved_as(std::size_t byte_offset = 0) const {
    return reinterpret_cast<T*>(saved.data() + byte_offset);
  }
  template <class T>
  T* scratch_as(std::size_t byte_offset = 0) const {
    return reinterpret_cast<T*>(scratch.data() + byte_offset);
  }
};

class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  /// Checks the shapes (throws Error naming op and shapes) and returns the output's. Called once.
  virtual Shape infer(std::span<const Shape> in) = 0;
  /// Called once, after infer() and before the first forward(): the place for primitives.
  virtual void build(const Build&) {}
  virtual void forward(const Frame&) const = 0;
  virtual void backward(const Frame&) const = 0;
  virtual Cost cost(Pass) const = 0;
  virtual Needs needs() const { return {}; }
  /// How it is done here, for a profile: an implementation, a layout. After build(); may be empty.
  virtual std::string describe(Pass) const { return {}; }
};

}  // namespace engine
