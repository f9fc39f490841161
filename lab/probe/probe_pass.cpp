#include "lab/probe/probe_pass.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "models/regularizers.h"
#include "ops/ops.h"

namespace lab {

using engine::Ref;
using models::HookId;

namespace {

using engine::Node;
using engine::Tape;

const Node* find(const Tape& tape, std::string_view name) {
  const auto& nodes = tape.nodes();
  const auto at =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& n) { return n.name == name; });
  return at == nodes.end() ? nullptr : &*at;
}

const Node& node(const Tape& tape, const std::string& name) {
  const Node* found = find(tape, name);
  base::require(found != nullptr, "the tape has no node ", name,
                ": taps are those of a model that models::record_gpt() recorded");
  return *found;
}

/// x before any noise of its own nodes: those that have a rate.
Ref before_noise(const Tape& tape, Ref x) {
  for (int producer = tape.value(x).producer; producer >= 0; producer = tape.value(x).producer) {
    const Node& n = tape.nodes()[static_cast<std::size_t>(producer)];
    if (!n.randomness.rate) break;
    x = n.in[0];
  }
  return x;
}

/// The first linear layer on the tape that anything made from x goes into.
Ref next_product(const Tape& tape, Ref x) {
  std::vector<bool> reached(tape.values().size());
  reached[static_cast<std::size_t>(x.id)] = true;
  for (const Node& n : tape.nodes()) {
    if (std::none_of(n.in.begin(), n.in.end(),
                     [&](Ref in) { return reached[static_cast<std::size_t>(in.id)]; }))
      continue;
    if (n.op->name() == "matmul") return n.out;
    reached[static_cast<std::size_t>(n.out.id)] = true;
  }
  return {};
}

}  // namespace

std::vector<Tap> find_taps(const Tape& tape) {
  std::vector<Tap> taps;
  const auto handed = [&](HookId hook, int layer, Ref x) {
    taps.push_back({hook, layer, x, {}, next_product(tape, x)});
  };
  const auto branch = [&](HookId hook, int layer, const std::string& residual) {
    handed(hook, layer, before_noise(tape, node(tape, residual).in[1]));
  };
  handed(HookId::kEmb, -1, node(tape, "embedding").out);
  const auto name = [](int layer, const char* of) {
    return "h." + std::to_string(layer) + "." + of;
  };
  for (int layer = 0; find(tape, name(layer, "attn")) != nullptr; ++layer) {
    // Evaluation may scale the product of weights and values in a node of its own.
    taps.push_back({HookId::kAttnWeights,
                    layer,
                    node(tape, name(layer, "attn")).in[0],
                    {},
                    node(tape, name(layer, "attn.c_proj")).in[0]});
    branch(HookId::kAttn, layer, name(layer, "attn.residual"));
    const Ref hidden = node(tape, name(layer, "mlp.c_proj")).in[0];
    taps.push_back({HookId::kMlpHidden, layer, {}, hidden, next_product(tape, hidden)});
    branch(HookId::kMlp, layer, name(layer, "mlp.residual"));
  }
  if (const Node* head = find(tape, "head")) {
    // Its own noise alone: without a last norm a branch's stands right before it, in the residual.
    Ref x = head->in[0];
    const std::string own = models::site_name(HookId::kLast, -1) + ".";
    for (int producer = tape.value(x).producer; producer >= 0; producer = tape.value(x).producer) {
      const Node& n = tape.nodes()[static_cast<std::size_t>(producer)];
      if (!std::string_view(n.name).starts_with(own)) break;
      x = n.in[0];
    }
    handed(HookId::kLast, -1, x);
  }
  return taps;
}

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
