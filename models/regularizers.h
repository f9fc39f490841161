// Which noise acts where. Models name hooks, never a regularizer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/noise_op.h"

namespace models {

enum class Mode : std::uint8_t { kTrain, kEval };

/// The places of a transformer where noise may act.
enum class HookId : std::uint8_t { kEmb, kAttnWeights, kAttn, kMlpHidden, kMlp };

/// "emb", "attn_weights", "attn", "mlp_hidden", "mlp"
std::string_view to_string(HookId hook);

/// One kind of noise at one rate, at some hooks of every layer.
struct NoiseSetting {
  const ops::NoiseKind* kind = nullptr;
  double rate = 0;
  std::vector<HookId> hooks;
};

/// What nanoGPT and GPT-2 mean by dropout p: embedding, attention weights, both residual branches.
std::vector<NoiseSetting> gpt2_dropout(double rate);

/// Hands a model what stands at its hooks. In kEval no noise leaves a node.
class Hooks {
 public:
  Hooks(const std::vector<NoiseSetting>& settings, Mode mode) : settings_(settings), mode_(mode) {}

  /// x with the noise of the hook on it, in nodes of its own; x itself where there is none.
  /// `layer` -1: the hook is not in a layer. `ids`: the tokens behind the rows of x, where they are
  /// known.
  engine::Ref apply(engine::Tape& tape, HookId hook, int layer, engine::Ref x,
                    engine::Ref ids = {}) const;

  /// The hook's noise for an op that applies it in its own loop. An op takes one: more than that go
  /// on `branch` first. Throws Error where there is no branch to take them.
  ops::NoiseUse fused(engine::Tape& tape, HookId hook, int layer, engine::Ref* branch) const;

 private:
  std::vector<ops::NoiseUse> uses(HookId hook, int layer) const;

  const std::vector<NoiseSetting>& settings_;
  Mode mode_;
};

}  // namespace models
