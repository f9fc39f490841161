#include "lab/inspect/probe_pass.h"

#include <algorithm>
#include <utility>

#include "ops/ops.h"

namespace lab {
namespace {

using engine::Ref;

}  // namespace

AttentionWeights::AttentionWeights(engine::Params& params, const models::GptConfig& config,
                                   const models::Hooks& hooks, const models::HookSite& site,
                                   const engine::Shape& qkv)
    : batch_(qkv[0]),
      time_(qkv[1]),
      channels_(config.n_embd),
      heads_(config.n_head),
      size_(config.n_embd / config.n_head) {
  engine::Tape tape(params);
  in_ = tape.input("qkv", qkv, engine::DType::kF32);
  const std::string name = models::site_name(site.hook, site.layer);
  out_ = ops::attention(tape, name, in_, heads_, hooks.fused(tape, site.hook, site.layer, nullptr));
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
  engine::PlanOptions options;
  options.training = false;
  for (const models::HookSite& site : gpt_.sites) {
    Ref returned;
    if (site.hook == models::HookId::kAttnWeights) {
      weights_.push_back(
          std::make_unique<AttentionWeights>(params, config, hooks_, site, tape.shape(site.x)));
      options.keep.push_back(site.x);
    } else {
      weights_.push_back(nullptr);
      // Ops apply noise in their own loops. In a node of its own, at the same site, it has the same
      // masks.
      const bool tokens = site.hook == models::HookId::kEmb;
      returned = site.returned ? site.returned
                               : hooks_.apply(tape, site.hook, site.layer, site.x,
                                              tokens ? gpt_.tokens : Ref{});
      options.keep.push_back(returned);
    }
    returned_.push_back(returned);
    options.keep.push_back(site.behind);
  }
  plan_.emplace(std::move(tape), gpt_.loss, options);
}

std::size_t ProbePass::bytes() const {
  std::size_t bytes = plan_->arena_bytes();
  for (const auto& w : weights_)
    if (w) bytes += w->bytes();
  return bytes;
}

const std::string& ProbePass::behind_name(std::size_t site) const {
  return plan_->tape().value(gpt_.sites[site].behind).name;
}

std::uint64_t ProbePass::count(std::size_t place) const {
  const models::HookSite& site = gpt_.sites[place / 2];
  const engine::Tape& tape = plan_->tape();
  if (place % 2 == 1) return static_cast<std::uint64_t>(tape.shape(site.behind).numel());
  if (returned_[place / 2])
    return static_cast<std::uint64_t>(tape.shape(returned_[place / 2]).numel());
  return weights_[place / 2]->count();
}

std::span<const float> ProbePass::span(Ref r) const {
  const engine::View v = plan_->view(r);
  return {v.f32(), static_cast<std::size_t>(v.shape->numel())};
}

}  // namespace lab
