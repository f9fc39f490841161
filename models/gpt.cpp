#include "models/gpt.h"

#include <cmath>
#include <string>

#include "ops/ops.h"

namespace models {
namespace {

using engine::Init;
using engine::Ref;
using engine::Shape;
using engine::Tape;

constexpr double kInitStd = 0.02;  // Radford et al. 2019, as released

void check(const GptConfig& c, std::int64_t batch, std::int64_t time) {
  engine::require(c.n_layer > 0 && c.n_head > 0 && c.n_embd > 0 && c.vocab > 0 && batch > 0,
                  "model: layers, heads, channels, vocabulary and batch must be at least 1");
  engine::require(c.n_embd % c.n_head == 0, "model: ", c.n_head, " heads do not divide ", c.n_embd,
                  " channels; choose n_embd as a multiple of n_head");
  engine::require(time > 0 && time <= c.block_size, "model: ", time,
                  " positions do not fit a block size of ", c.block_size);
}

class Recorder {
 public:
  Recorder(Tape& tape, const GptConfig& config, Mode mode)
      : tape_(tape), config_(config), hooks_(config.regularizers, mode, config.n_layer) {}

  Gpt record(std::int64_t batch, std::int64_t time) {
    Gpt gpt;
    const std::int64_t channels = config_.n_embd;
    gpt.tokens = tape_.input("tokens", {batch, time}, engine::DType::kI32);
    gpt.targets = tape_.input("targets", {batch, time}, engine::DType::kI32);
    const Ref wte = tape_.param("wte.weight", {config_.vocab, channels}, normal(kInitStd));
    const Ref wpe = tape_.param("wpe.weight", {config_.block_size, channels}, normal(kInitStd));
    Ref x = ops::embedding(tape_, "embedding", gpt.tokens, wte, wpe);
    x = hooks_.apply(tape_, HookId::kEmb, -1, x, gpt.tokens);
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      tape_.segment(static_cast<int>(layer));
      x = block(x, static_cast<int>(layer));
    }
    tape_.segment(-1);
    x = norm("ln_f", x);
    gpt.logits = ops::matmul(tape_, "head", x, wte, {}, ops::Weight::kOutIn);
    gpt.cross_entropy = ops::cross_entropy(tape_, "loss", gpt.logits, gpt.targets);
    gpt.loss = hooks_.loss(tape_, gpt.logits, gpt.targets, gpt.cross_entropy);
    return gpt;
  }

 private:
  static Init normal(double std) { return {Init::Kind::kNormal, std}; }
  static Init constant(double value) { return {Init::Kind::kConstant, value}; }

  // x (B,T,C) → x + attn(ln_1(x)), then x + mlp(ln_2(x))
  Ref block(Ref x, int layer) {
    const std::string h = "h." + std::to_string(layer) + ".";
    const std::int64_t channels = config_.n_embd;
    const double residual_std = kInitStd / std::sqrt(2.0 * static_cast<double>(config_.n_layer));

    Ref a = norm(h + "ln_1", x);
    a = linear(h + "attn.c_attn", a, 3 * channels, kInitStd, HookId::kAttnWeights, layer);
    a = ops::attention(tape_, h + "attn", a, config_.n_head,
                       hooks_.fused(tape_, HookId::kAttnWeights, layer, nullptr));
    a = linear(h + "attn.c_proj", a, channels, residual_std, HookId::kAttn, layer);
    x = residual(h + "attn.residual", x, a, HookId::kAttn, layer);

    Ref m = norm(h + "ln_2", x);
    m = linear(h + "mlp.c_fc", m, 4 * channels, kInitStd, HookId::kMlpHidden, layer);
    m = ops::gelu(tape_, h + "mlp.gelu", m);
    m = hooks_.apply(tape_, HookId::kMlpHidden, layer, m);
    m = linear(h + "mlp.c_proj", m, channels, residual_std, HookId::kMlp, layer);
    return residual(h + "mlp.residual", x, m, HookId::kMlp, layer);
  }

  /// `hook`: where the product arrives.
  Ref linear(const std::string& name, Ref x, std::int64_t out, double std, HookId hook, int layer) {
    const std::int64_t in = tape_.shape(x).back();
    Ref w = tape_.param(name + ".weight", {in, out}, normal(std));
    w = hooks_.weight(tape_, hook, layer, name + ".weight", w);
    const Ref b = config_.bias ? tape_.param(name + ".bias", {out}, constant(0)) : Ref{};
    return ops::matmul(tape_, name, x, w, b);
  }

  Ref norm(const std::string& name, Ref x) {
    const Shape channels{config_.n_embd};
    const Ref gamma = tape_.param(name + ".weight", channels, constant(1));
    const Ref beta = config_.bias ? tape_.param(name + ".bias", channels, constant(0)) : Ref{};
    return ops::layernorm(tape_, name, x, gamma, beta);
  }

  Ref residual(const std::string& name, Ref x, Ref branch, HookId hook, int layer) {
    const ops::NoiseUse noise = hooks_.fused(tape_, hook, layer, &branch);
    return ops::residual(tape_, name, x, branch, noise);
  }

  Tape& tape_;
  const GptConfig& config_;
  Hooks hooks_;
};

}  // namespace

Gpt record_gpt(Tape& tape, const GptConfig& config, std::int64_t batch, std::int64_t time,
               Mode mode) {
  check(config, batch, time);
  return Recorder(tape, config, mode).record(batch, time);
}

double counted_parameters(const GptConfig& c) {
  const auto layers = static_cast<double>(c.n_layer), channels = static_cast<double>(c.n_embd);
  double per_layer = 12 * channels * channels + 2 * channels, rest = channels;
  if (c.bias) {
    per_layer += (3 + 1 + 4 + 1) * channels + 2 * channels;
    rest += channels;
  }
  return layers * per_layer + static_cast<double>(c.vocab) * channels + rest;
}

double flops_per_token(const GptConfig& c) {
  const double once = 6 * counted_parameters(c) + 12 * static_cast<double>(c.n_layer) *
                                                      static_cast<double>(c.n_embd) *
                                                      static_cast<double>(c.block_size);
  return once * passes(c.regularizers);
}

}  // namespace models
