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

// loss (1) + rate·term → (1), the rate from the hook; with rate 0 an exact copy. The term is a mean
// over the rows with target ≥ 0.

/// x_target − mean_j x_j: makes cross-entropy that against (1 − ε)·onehot + ε/V, ε the rate.
/// Szegedy et al. 2016, arXiv:1512.00567.
Ref label_smoothing(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
                    engine::Hook hook);
/// log²Z, Z = Σ_j exp(x_j). Chowdhery et al. 2022, arXiv:2204.02311, section 5.
Ref z_loss(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Hook hook);
/// ½(KL(a‖b) + KL(b‖a)) of the softmax in rows 2i and 2i + 1 of targets (2B,T), two passes over one
/// sample. Liang et al. 2021, arXiv:2106.14448, in the form of its code: the loss is the mean of
/// both passes' cross-entropies.
Ref r_drop(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Hook hook);

}  // namespace ops
