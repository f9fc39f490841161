// Norms and where they stand, two tables: `norm=rmsnorm,norm_place=sandwich`.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/tape.h"
#include "models/regularizers.h"

namespace models {

/// One norm of a model that is being recorded.
struct NormSite {
  engine::Tape& tape;
  std::string name;  // "h.0.ln_1"
  engine::Ref x;     // (B,T,C)
  bool bias;         // a shift, where the norm has one
  Mode mode;
};

struct NormKind {
  std::string_view name;
  /// Declares its parameters, `name` + ".weight" and so on, and pushes its op.
  engine::Ref (*build)(const NormSite& site);
  int gains, shifts;  // trainable numbers a channel; shifts where the model has biases
  bool running;       // has running statistics, which training keeps for evaluation
  std::string_view help, source;
};

/// Adding a norm is adding a row.
std::span<const NormKind> norm_kinds();
/// The row of that name. Throws Error listing the valid ones.
const NormKind& norm_kind(std::string_view name);

/// x ← out(α·x + post(f(in(x)))): which of these norms there are. With `out` the stream ends
/// normalized, otherwise the model has a last norm, ln_f.
struct Placement {
  std::string_view name;
  bool in, post, out;
  double (*alpha)(std::int64_t n_layer);  // scales the residual stream at every branch
  double (*beta)(std::int64_t n_layer);   // scales initial weights of v, attn.c_proj and the MLP;
                                          // null: by the init's own rule
  std::string_view help, source;
};

/// Adding a placement is adding a row.
std::span<const Placement> placements();
/// The row of that name. Throws Error listing the valid ones.
const Placement& placement(std::string_view name);

}  // namespace models
