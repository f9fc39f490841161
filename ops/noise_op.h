// Noise on a tape: a kind, its place and its rate over time.
#pragma once
#include <string>

#include "engine/tape.h"
#include "ops/noise.h"

namespace ops {

/// What an op needs to apply noise in its own loop; empty: no noise.
struct NoiseUse {
  const NoiseKind* kind = nullptr;
  engine::Randomness randomness;
  std::string name;  // of a node of its own, where it needs one: "h.3.attn.dropout"
  NoiseForm form = NoiseForm::kDrawn;  // a factor is applied in a node of its own
  bool is_factor() const { return form != NoiseForm::kDrawn; }
  explicit operator bool() const { return kind != nullptr; }
};

/// m·x + c on x (B,T,C), or on weights (R,C) with Granularity::kWeight. `ids` (B,T): the tokens
/// behind the rows, needed by Granularity::kVocabulary.
engine::Ref noise(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use,
                  engine::Ref ids = {});

/// What stands in the place of noise: noise_factor()·x. REQUIRES: use.is_factor().
engine::Ref evaluation_scale(engine::Tape& tape, std::string_view name, engine::Ref x,
                             const NoiseUse& use);

/// x + m·h + c: a branch joins the residual stream. x, h (B,T,C)
engine::Ref residual(engine::Tape& tape, std::string_view name, engine::Ref x, engine::Ref h,
                     const NoiseUse& use = {});

/// Causal self-attention from packed q, k, v (B,T,3C) → (B,T,C), noise on the attention weights:
/// one of the kinds that attention_takes().
engine::Ref attention(engine::Tape& tape, std::string_view name, engine::Ref qkv,
                      std::int64_t n_head, const NoiseUse& use = {});

}  // namespace ops
