// Every op there is: each function checks shapes, pushes one node and returns its output.
#pragma once
#include <string_view>
#include <vector>

#include "engine/tape.h"

namespace ops {

using engine::Ref;
using engine::Tape;

/// How a weight matrix is stored: GPT-2's (C,OC), or (OC,C) as for a head tied to wte.
enum class Weight : std::uint8_t { kInOut, kOutIn };

/// x (…,C) · w [+ bias (OC)] → (…,OC)
Ref matmul(Tape& tape, std::string_view name, Ref x, Ref w, Ref bias = {},
           Weight layout = Weight::kInOut);

/// Normalizes the last dimension: x (…,C), gamma (C) [, beta (C)] → (…,C). Ba et al. 2016.
Ref layernorm(Tape& tape, std::string_view name, Ref x, Ref gamma, Ref beta = {},
              float epsilon = 1e-5F);

/// wte[token] + wpe[t]: tokens (B,T) i32, wte (V,C), wpe (≥T,C) → (B,T,C)
Ref embedding(Tape& tape, std::string_view name, Ref tokens, Ref wte, Ref wpe);

/// GELU by its tanh approximation (Hendrycks & Gimpel 2016, eq. 2), as GPT-2 has it.
Ref gelu(Tape& tape, std::string_view name, Ref x);

/// Mean over the rows with target ≥ 0 of −log softmax(logits)[target], in nats:
/// logits (…,V), targets (…) i32 → (1). Targets < 0 are ignored.
Ref cross_entropy(Tape& tape, std::string_view name, Ref logits, Ref targets);

}  // namespace ops
