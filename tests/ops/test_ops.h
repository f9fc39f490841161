// Ops that exist for the tests alone.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "engine/tape.h"

namespace tests {

using engine::Ref;
using engine::Tape;

inline constexpr engine::Init kNormal{engine::Init::Kind::kNormal, 0.5};

/// A copy of x: turns a parameter into an activation.
Ref carry(Tape& tape, std::string_view name, Ref x);

/// a + b. Gradients pass through, in the same memory where the plan allows.
Ref plus(Tape& tape, std::string_view name, Ref a, Ref b);

/// x², element by element. backward() reads x again.
Ref square(Tape& tape, std::string_view name, Ref x);

/// Σ_k Σ_i weight(k,i)·in_k[i] → (1). No two weights are alike, so a gradient that is right in sum
/// only, or belongs to another element, shows.
Ref weighted_sum(Tape& tape, std::string_view name, std::vector<Ref> in);

/// An op of one shape made of two functions, for what no honest op would do.
struct LambdaOp {
  std::function<void(const engine::Frame&)> forward, backward = {};
  engine::Needs needs = {};
};
Ref lambda(Tape& tape, std::string_view name, LambdaOp op, std::vector<Ref> in,
           engine::Randomness randomness = {}, std::vector<Ref> state = {});

/// In ±[½, 1), exact in float.
double weight(std::size_t k, std::int64_t i);

/// Whether the op is one of the above.
bool is_test_op(std::string_view op_name);

}  // namespace tests
