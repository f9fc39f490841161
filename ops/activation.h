// The activations of the MLP's hidden layer, a table.
#pragma once
#include <span>
#include <string_view>

#include "engine/tape.h"
#include "ops/noise_op.h"

namespace ops {

struct ActivationKind {
  std::string_view name;
  /// m·act(x) + c: x (B,T,…) where there is noise, else of any shape.
  engine::Ref (*build)(engine::Tape& tape, std::string_view name, engine::Ref x,
                       const NoiseUse& use);
  int inputs;  // numbers that make one: x (…,inputs·H) → (…,H)
  std::string_view help, source;
};

/// Adding an activation is adding a row.
std::span<const ActivationKind> activation_kinds();
/// The row of that name. Throws Error listing the valid ones.
const ActivationKind& activation_kind(std::string_view name);

}  // namespace ops
