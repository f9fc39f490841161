// The model and the attention weights' own small tape, planned and run.
#include "lab/probe/probe_pass.h"

#include <algorithm>
#include <utility>

#include "ops/ops.h"

namespace lab {

using engine::Ref;
using models::HookId;

AttentionWeights::AttentionWeights(engine::Params& params, const models::GptConfig& config,
                                   const models::Hooks& hooks, int layer, const engine::Shape& qkv)
    : batch_(qkv[0]),
      time_(qkv[1]),
      channels_(config.n_embd),
      heads_(config.n_head),
      size_(config.n_embd / config.n_head) {
  engine::Tape tape(params);
  in_ = tape.input("qkv", qkv, engine::DType::kF32);
  out_ = ops::attention(tape, models::site_name(HookId::kAttnWeights, layer), in_, heads_,
                        hooks.fused(tape, HookId::kAttnWeights, layer, nullptr));
  engine::PlanOptions options;
  options.training = false;
  plan_.emplace(std::move(tape), out_, options);
}

std::size_t AttentionWeights::bytes() const {
  const std::int64_t floats = batch_ * time_ * (3 + 1) * channels_;
  return plan_->arena_bytes() + static_cast<std::size_t>(floats) * sizeof(float);
}

std::span<const float> AttentionWeights::block(const engine::Step& step, const float* qkv,
                                               std::int64_t key) {
  const std::int64_t rows = batch_ * time_, keys = std::min(size_, time_ - key);
  if (qkv_.empty()) qkv_.resize(static_cast<std::size_t>(rows * 3 * channels_));
  // q and k as they are; v (T,hs) of every head: 1 where the position is the column's key.
  for (std::int64_t row = 0; row < rows; ++row) {
    float* to = qkv_.data() + row * 3 * channels_;
    if (key == 0) std::copy_n(qkv + row * 3 * channels_, 2 * channels_, to);
    float* v = to + 2 * channels_;
    std::fill_n(v, channels_, 0.0F);
    const std::int64_t column = row % time_ - key;
    if (column < 0 || column >= keys) continue;
    for (std::int64_t head = 0; head < heads_; ++head) v[head * size_ + column] = 1;
  }
  plan_->bind(in_, qkv_.data());
  plan_->forward(step);
  const float* out = plan_->view(out_).f32();
  weights_.clear();
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t seen = std::clamp<std::int64_t>(row % time_ - key + 1, 0, keys);
    for (std::int64_t head = 0; head < heads_; ++head) {
      const float* from = out + row * channels_ + head * size_;
      weights_.insert(weights_.end(), from, from + seen);
    }
  }
  return weights_;
}

ProbePass::ProbePass(engine::Params& params, const models::GptConfig& config, models::Mode mode,
                     std::int64_t rows)
    : hooks_(config.regularizers, mode, config.n_layer) {
  engine::Tape tape(params);
  gpt_ = models::record_gpt(tape, config, rows, config.block_size, mode, models::Output::kLogits);
  taps_ = find_taps(tape);
  engine::PlanOptions options;
  options.training = false;
  for (Tap& tap : taps_) {
    weights_.push_back(nullptr);
    if (tap.hook == HookId::kAttnWeights) {
      weights_.back() = std::make_unique<AttentionWeights>(params, config, hooks_, tap.layer,
                                                           tape.shape(tap.handed));
      options.keep.push_back(tap.handed);
    } else {
      // Ops apply noise in their own loops. In a node of its own, at the same site, it has the same
      // masks.
      if (!tap.returned)
        tap.returned = hooks_.apply(tape, tap.hook, tap.layer, tap.handed,
                                    tap.hook == HookId::kEmb ? gpt_.tokens : Ref{});
      options.keep.push_back(tap.returned);
    }
    options.keep.push_back(tap.behind);
  }
  plan_.emplace(std::move(tape), gpt_.loss, options);
}

std::size_t ProbePass::bytes() const {
  std::size_t bytes = plan_->arena_bytes();
  for (const auto& w : weights_)
    if (w) bytes += w->bytes();
  return bytes;
}

const std::string& ProbePass::behind_name(std::size_t tap) const {
  return plan_->tape().value(taps_[tap].behind).name;
}

std::uint64_t ProbePass::count(std::size_t place) const {
  const Tap& tap = taps_[place / 2];
  if (place % 2 == 0 && weights_[place / 2]) return weights_[place / 2]->count();
  const Ref value = place % 2 == 1 ? tap.behind : tap.returned;
  return static_cast<std::uint64_t>(plan_->tape().shape(value).numel());
}

std::span<const float> ProbePass::span(Ref r) const {
  const engine::View v = plan_->view(r);
  return {v.f32(), static_cast<std::size_t>(v.shape->numel())};
}

}  // namespace lab
