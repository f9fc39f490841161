// Records a model once: values, parameters and the ops between them.
//
// Example:
//     engine::Params params;
//     engine::Tape tape(params);
//     const engine::Ref x = tape.input("x", {12, 64}, engine::DType::kF32);
//     const engine::Ref w = tape.param("fc.weight", {64, 8}, {engine::Init::Kind::kNormal, 0.02});
//     const engine::Ref y = ops::matmul(tape, "fc", x, w);
//     assert(tape.shape(y).str() == "(12,8)" && tape.nodes().back().name == "fc");
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/op.h"
#include "engine/params.h"

namespace engine {

/// Where a node's randomness and its rate over the share of the budget spent come from.
struct Randomness {
  std::uint32_t site = 0;
  std::function<double(double)> rate;  // empty: 0
};

struct Value {
  std::string name;
  Shape shape;
  DType dtype = DType::kF32;
  int producer = -1;  // node, or -1
  int param = -1;     // index into Params, or -1
};

struct Node {
  std::string name;  // "h.0.attn.c_attn"
  std::unique_ptr<Op> op;
  std::vector<Ref> in;
  Ref out;
  std::vector<Ref> state;
  Randomness randomness;
  int segment = -1;  // layer that may be recomputed as a whole, or -1
};

class Tape {
 public:
  /// REQUIRES: `params` outlives the tape and every plan made from it.
  explicit Tape(Params& params) : params_(&params) {}

  /// Memory the caller binds before each step.
  Ref input(std::string_view name, const Shape& shape, DType dtype);
  /// A trainable parameter.
  Ref param(std::string_view name, const Shape& shape, Init init);
  /// Persistent memory without gradient.
  Ref state(std::string_view name, const Shape& shape, Init init);
  /// Appends an op and returns its output. Shapes are checked here.
  Ref push(std::string_view name, std::unique_ptr<Op> op, std::vector<Ref> in,
           Randomness randomness = {}, std::vector<Ref> state = {});

  /// Nodes pushed from now on belong to segment (layer) `segment`; -1: to none.
  void segment(int segment) { segment_ = segment; }

  const Shape& shape(Ref r) const { return value(r).shape; }
  const Value& value(Ref r) const { return values_[static_cast<std::size_t>(r.id)]; }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<Node>& nodes() { return nodes_; }
  Params& params() const { return *params_; }

 private:
  Ref add(Value value);

  Params* params_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  int segment_ = -1;
};

}  // namespace engine
