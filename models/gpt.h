// GPT-2 in its own terms (Radford et al. 2019): pre-LN blocks, learned positions, tied wte. Norms,
// their placement, the activation and the initial weights are rows of tables.
//
// Example:
//     models::GptConfig config{.n_layer = 2, .n_embd = 64, .block_size = 32, .vocab = 65};
//     config.regularizers = models::gpt2_dropout(0.1);
//     engine::Params params;
//     engine::Tape tape(params), evaluation(params);  // the second one has no dropout
//     const models::Gpt gpt = models::record_gpt(tape, config, 12, 32, models::Mode::kTrain);
//     const models::Gpt eval = models::record_gpt(evaluation, config, 12, 32, models::Mode::kEval);
//     engine::Plan plan(std::move(tape), gpt.loss, {});
//     engine::Plan eval_plan(std::move(evaluation), eval.cross_entropy, {.training = false});
//     params.allocate(1);  // seed
//     assert(params.count() > 100'000 && eval_plan.arena_bytes() < plan.arena_bytes());
#pragma once
#include <cstdint>
#include <vector>

#include "engine/tape.h"
#include "models/init_table.h"
#include "models/norm_table.h"
#include "models/regularizers.h"
#include "ops/activation.h"

namespace models {

/// What a model ends in, and what its loss is. kTied: a softmax over the vocabulary by wte itself.
/// kClasses: over classes by head.weight (V,C). kNormal: a mean and what ops::normal_sigma makes a
/// standard deviation of, by head.weight (2,C).
enum class Head : std::uint8_t { kTied, kClasses, kNormal };

struct GptConfig {
  std::int64_t n_layer = 4, n_head = 4, n_embd = 128, block_size = 64, vocab = 65;
  std::int64_t features = 0;  // F numbers a token, of which wfe.weight (F,C) makes the embedding;
                              // 0: ids of a vocabulary
  Head head = Head::kTied;    // with ids; with features one of the others. No vocabulary: kNormal
  bool bias = false;
  std::int64_t mlp_hidden = 0;  // channels of the MLP's hidden layer; 0: 4·n_embd
  const NormKind* norm = &norm_kind("layernorm");
  const Placement* norm_place = &placement("pre");
  const ops::ActivationKind* activation = &ops::activation_kind("gelu");
  const InitKind* init = &init_kind("gpt2");
  bool qk_norm = false;
  std::vector<RegularizerSetting> regularizers = {};

  std::int64_t hidden() const { return mlp_hidden > 0 ? mlp_hidden : 4 * n_embd; }
};

/// What a model ends in: its loss alone, whose logits exist a chunk of rows at a time unless a
/// regularizer asks for them, or whole logits too (of a head with two numbers a target, those).
enum class Output : std::uint8_t { kLoss, kLogits };

/// The values of a recorded model: the input, tokens (B,T) i32 or features (B,T,F) f32; targets
/// (B,T), i32 or with a normal head f32; logits (B,T,V) where there are any, of a normal head
/// (B,T,2). What is reported is the plain cross_entropy, of a normal head the negative
/// log-likelihood: (1) in kTrain and with whole logits, else (B), that of every row of the batch.
/// What is trained on is the loss (1), cross_entropy and what regularizers add to it. In training
/// both are known after backward().
struct Gpt {
  engine::Ref tokens, features, targets, logits, cross_entropy, loss;
  engine::Ref input() const { return tokens ? tokens : features; }
};

/// Throws Error if regularizers need what such a model has not: ids of tokens, classes.
void check(const GptConfig& config);

/// Records the model for batches of (B,T). Every node has a name of its own, by which it is found
/// later: a product that of its weights (h.3.attn.c_attn, h.3.attn.c_proj, h.3.mlp.c_fc,
/// h.3.mlp.c_proj, head), a norm that of its gains (h.3.ln_1), then embedding, h.3.attn for the
/// attention itself, h.3.mlp.gelu for an activation, h.3.attn.residual and h.3.mlp.residual where a
/// branch joins the stream, and for noise that no other op applies its hook's and its kind's
/// (h.3.mlp.dropout). Throws Error if the shapes don't fit. Where a
/// step takes several passes(config.regularizers) in kTrain, the passes of a sample are consecutive
/// rows of the batch.
Gpt record_gpt(engine::Tape& tape, const GptConfig& config, std::int64_t batch, std::int64_t time,
               Mode mode, Output output = Output::kLoss);

/// The values of a recorded decoder of (B,n) further tokens behind `length` (1) i32 earlier ones:
/// tokens (B,n), logits (B,n,V), and for every layer the cache (B,block_size,2C) that holds k|v of
/// the earlier ones and qkv (B,n,3C), of whose last 2C columns the caller makes the cache's next
/// rows.
struct GptDecoder {
  engine::Ref tokens, length, logits;
  std::vector<engine::Ref> caches, qkv;
};

/// The same model in evaluation, a few positions at a time: record_gpt's logits at positions length
/// to length + n − 1. Of a model of tokens with a tied head. Throws Error as record_gpt.
/// REQUIRES: when run, length + n ≤ block_size.
GptDecoder record_decoder(engine::Tape& tape, const GptConfig& config, std::int64_t batch,
                          std::int64_t time);

/// Without regularizers that act on the loss alone, and the passes that they take.
GptConfig without_losses(GptConfig config);

/// Parameters as the field counts them: all but the positions (the tied wte counts once). Of a
/// model of features those that multiply them count as well.
double counted_parameters(const GptConfig& config);

/// FLOPs of training on one token: 6N + 12·L·C·T (Chowdhery et al. 2022, appendix B), for every
/// pass of a step over it.
double flops_per_token(const GptConfig& config);

}  // namespace models
