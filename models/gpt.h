// GPT-2 in its own terms (Radford et al. 2019): pre-LN blocks, learned positions, tied wte.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/tape.h"
#include "models/regularizers.h"

namespace models {

struct GptConfig {
  std::int64_t n_layer = 4, n_head = 4, n_embd = 128, block_size = 64, vocab = 65;
  bool bias = false;
  std::vector<NoiseSetting> regularizers;
};

/// The values of a recorded model: tokens and targets (B,T) i32, logits (B,T,V), loss (1).
struct Gpt {
  engine::Ref tokens, targets, logits, loss;
};

/// Records the model for batches of (B,T). Throws Error where the shapes don't fit. In kEval no
/// regularizer leaves a node.
Gpt record_gpt(engine::Tape& tape, const GptConfig& config, std::int64_t batch, std::int64_t time,
               Mode mode);

/// Parameters as the field counts them: all but the positions (the tied wte counts once).
double counted_parameters(const GptConfig& config);

/// FLOPs of training on one token: 6N + 12·L·C·T (Chowdhery et al. 2022, appendix B).
double flops_per_token(const GptConfig& config);

}  // namespace models
