// Every regularizer there is, of whatever family, and where it may act.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/noise_op.h"

namespace models {

/// The places of a transformer where a regularizer may act.
enum class HookId : std::uint8_t { kEmb, kAttnWeights, kAttn, kMlpHidden, kMlp, kLast };
inline constexpr HookId kHookIds[] = {HookId::kEmb,       HookId::kAttnWeights, HookId::kAttn,
                                      HookId::kMlpHidden, HookId::kMlp,         HookId::kLast};
/// "emb", "attn_weights", "attn", "mlp_hidden", "mlp", "last"
std::string_view to_string(HookId hook);
/// What is there: "the embedded tokens"
std::string_view help(HookId hook);
std::vector<std::string_view> names(std::span<const HookId> hooks);

enum class Family : std::uint8_t { kNoise, kWeight, kLayer, kLoss, kOptimizer };
std::string_view to_string(Family family);

/// Adds a term to the training loss: returns `loss` + rate · term, rate and all from `randomness`.
using AddToLoss = engine::Ref (*)(engine::Tape& tape, std::string_view name, engine::Ref logits,
                                  engine::Ref targets, engine::Ref loss,
                                  engine::Randomness randomness);

struct Regularizer {
  std::string_view name;
  Family family;
  const ops::NoiseKind* noise;  // of noise, weights and layers
  AddToLoss add_to_loss;        // of losses
  int passes;                   // through the model for each sample
  // Of noise: the hook itself; of weights: the matrix whose product arrives at the hook (c_attn at
  // attn_weights, c_fc at mlp_hidden, the branch's c_proj at attn and mlp).
  std::vector<HookId> default_hooks, hooks;
  bool deepens;   // layer l of L has p·(l + 1)/L
  bool is_share;  // the rate lies in [0, 1); else a coefficient, at least 0
  std::string_view granularity, constants, help, source;
};

/// The table: the rows of ops::noise_kinds(), whose granularity says where they have a meaning,
/// then those that are no noise. Adding a kind of noise is adding a row there, another one a row
/// here.
std::span<const Regularizer> regularizer_table();
/// The row of that name, or null.
const Regularizer* find_regularizer(std::string_view name);

/// The largest coefficient a loss may have.
inline constexpr double kMaxCoefficient = 1000;

}  // namespace models
