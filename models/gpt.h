// GPT-2 in its own terms (Radford et al. 2019): pre-LN blocks, learned positions, tied wte. Norms,
// their placement, the activation and the initial weights are rows of tables.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/tape.h"
#include "models/init_table.h"
#include "models/norm_table.h"
#include "models/regularizers.h"
#include "ops/activation.h"

namespace models {

struct GptConfig {
  std::int64_t n_layer = 4, n_head = 4, n_embd = 128, block_size = 64, vocab = 65;
  bool bias = false;
  std::int64_t mlp_hidden = 0;  // channels of the MLP's hidden layer; 0: 4·n_embd
  const NormKind* norm = &norm_kind("layernorm");
  const Placement* norm_place = &placement("pre");
  const ops::ActivationKind* activation = &ops::activation_kind("gelu");
  const InitKind* init = &init_kind("gpt2");
  bool qk_norm = false;
  std::vector<RegularizerSetting> regularizers;

  std::int64_t hidden() const { return mlp_hidden > 0 ? mlp_hidden : 4 * n_embd; }
};

/// What a model ends in: its loss alone, whose logits exist a chunk of rows at a time unless a
/// regularizer asks for them, or whole logits too.
enum class Output : std::uint8_t { kLoss, kLogits };

/// Where a hook acts in a recorded model. `x`: what the hook is handed, before anything acts on it;
/// at attn_weights the packed q, k, v (B,T,3C) that the weights come from. `returned`: what the
/// hook returns, where an op makes that at once and there is no x. `behind`: the next product that
/// what it returns goes into, before any activation: of the linear layer that reads it, at
/// attn_weights of the weights and the values; none behind the last hook where the head is one with
/// the loss.
struct HookSite {
  HookId hook;
  int layer;  // -1: in none
  engine::Ref x, returned, behind;
};

/// The values of a recorded model: tokens and targets (B,T) i32, logits (B,T,V) where there are
/// any. What is reported is the plain cross_entropy (1); what is trained on is the loss (1),
/// cross_entropy and what regularizers add to it. In training both are known after backward().
/// `sites`: every hook, in the order of the tape.
struct Gpt {
  engine::Ref tokens, targets, logits, cross_entropy, loss;
  std::vector<HookSite> sites;
};

/// Records the model for batches of (B,T). Throws Error where the shapes don't fit. Where a
/// step takes several passes(config.regularizers) in kTrain, the passes of a sample are consecutive
/// rows of the batch.
Gpt record_gpt(engine::Tape& tape, const GptConfig& config, std::int64_t batch, std::int64_t time,
               Mode mode, Output output = Output::kLoss);

/// Parameters as the field counts them: all but the positions (the tied wte counts once).
double counted_parameters(const GptConfig& config);

/// FLOPs of training on one token: 6N + 12·L·C·T (Chowdhery et al. 2022, appendix B), for every
/// pass of a step over it.
double flops_per_token(const GptConfig& config);

}  // namespace models
