// One mode of a model that is being probed: a forward pass that shows what every hook returns.
// Where hooks are is read off the tape alone: from names and ops of its nodes and what flows into
// what.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/plan.h"
#include "engine/tape.h"
#include "models/gpt.h"
#include "models/regularizer_table.h"

namespace lab {

/// One hook of one layer.
struct Tap {
  models::HookId hook = models::HookId::kEmb;
  int layer = -1;  // -1: in none
  // What the hook is handed, before anything acts on it; at attn_weights the packed q, k, v
  // (B,T,3C) that the weights come from. None if an op returns at once what the hook does.
  engine::Ref handed;
  engine::Ref returned;  // what it returns, if it is handed nothing
  // The next product that what it returns goes into, before any activation: of the linear layer
  // that reads it, at attn_weights of the weights and the values. None behind the last hook where
  // the head is one with the loss.
  engine::Ref behind;
};

/// Every hook of a tape of models::record_gpt(), in the order of the tape. Throws base::Error
/// naming the missing node.
std::vector<Tap> find_taps(const engine::Tape& tape);

/// The attention weights of one layer. The fused op never holds them: softmax(QKᵀ)·V is asked for
/// with columns of the identity in the place of V, so that the op itself says what its weights are,
/// with the noise it puts on them, hs keys a call.
class AttentionWeights {
 public:
  /// `qkv`: (B,T,3C).
  AttentionWeights(engine::Params& params, const models::GptConfig& config,
                   const models::Hooks& hooks, int layer, const engine::Shape& qkv);

  std::size_t bytes() const;
  /// B·NH·T(T + 1)/2
  std::uint64_t count() const {
    return static_cast<std::uint64_t>(batch_ * heads_ * (time_ * (time_ + 1) / 2));
  }
  /// Calls each(values) with the weights of all queries for some of the keys they may see, until
  /// all were shown, in an order that only the shapes decide.
  template <class F>
  void run(const engine::Step& step, const float* qkv, const F& each) {
    for (std::int64_t key = 0; key < time_; key += size_) each(block(step, qkv, key));
  }

 private:
  std::span<const float> block(const engine::Step& step, const float* qkv, std::int64_t key);

  std::int64_t batch_, time_, channels_, heads_, size_;  // size_: of a head
  engine::Ref in_, out_;
  std::optional<engine::Plan> plan_;
  std::vector<float> qkv_, weights_;
};

/// The places of a model are numbered: 2·t what the hook of tap t returns, 2·t + 1 the product
/// behind it.
class ProbePass {
 public:
  /// Records the model for batches of `rows` windows. REQUIRES: `config` outlives this.
  ProbePass(engine::Params& params, const models::GptConfig& config, models::Mode mode,
            std::int64_t rows);

  std::size_t bytes() const;
  const std::vector<Tap>& taps() const { return taps_; }
  const std::string& behind_name(std::size_t tap) const;
  /// Values of a place in one pass.
  std::uint64_t count(std::size_t place) const;

  /// Calls each(place, values) for every place, one with many values in pieces.
  template <class F>
  void run(const engine::Step& step, std::int32_t* tokens, std::int32_t* targets, const F& each) {
    plan_->bind(gpt_.tokens, tokens);
    plan_->bind(gpt_.targets, targets);
    plan_->forward(step);
    for (std::size_t t = 0; t < taps_.size(); ++t) {
      if (weights_[t])
        weights_[t]->run(step, plan_->view(taps_[t].handed).f32(),
                         [&](std::span<const float> values) { each(2 * t, values); });
      else
        each(2 * t, span(taps_[t].returned));
      each(2 * t + 1, span(taps_[t].behind));
    }
  }

 private:
  std::span<const float> span(engine::Ref r) const;

  models::Gpt gpt_;
  models::Hooks hooks_;
  std::vector<Tap> taps_;  // with what every hook returns, but at attention weights
  std::vector<std::unique_ptr<AttentionWeights>> weights_;  // per tap; null elsewhere
  std::optional<engine::Plan> plan_;
};

}  // namespace lab
