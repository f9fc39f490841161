#include "models/gpt.h"

#include <cmath>
#include <string>
#include <utility>

#include "ops/ops.h"

namespace models {
namespace {

using engine::DType;
using engine::Init;
using engine::Ref;
using engine::Shape;
using engine::Tape;

void check(const GptConfig& c, std::int64_t batch, std::int64_t time) {
  base::require(c.n_layer > 0 && c.n_head > 0 && c.n_embd > 0 && c.vocab > 0 && batch > 0,
                "model: layers, heads, channels, vocabulary and batch must be at least 1");
  base::require(c.n_embd % c.n_head == 0, "model: ", c.n_head, " heads do not divide ", c.n_embd,
                " channels; choose n_embd as a multiple of n_head");
  base::require(time > 0 && time <= c.block_size, "model: ", time,
                " positions do not fit a block size of ", c.block_size);
  base::require(c.features >= 0 && (c.features == 0) == (c.head == Head::kTied),
                "model: ", c.features,
                " features a token: a head is tied where inputs are ids of tokens, "
                "and has weights of its own where they are features");
  models::check(c);
}

/// Rows of head.weight.
std::int64_t outputs(const GptConfig& c) { return c.head == Head::kNormal ? 2 : c.vocab; }

class Recorder {
 public:
  Recorder(Tape& tape, const GptConfig& config, Mode mode)
      : tape_(tape),
        config_(config),
        place_(*config.norm_place),
        mode_(mode),
        hooks_(config.regularizers, mode, config.n_layer) {}

  Gpt record(std::int64_t batch, std::int64_t time, Output output) {
    Gpt gpt;
    const std::int64_t channels = config_.n_embd;
    const bool ids = config_.features == 0, classes = config_.head != Head::kNormal;
    if (ids)
      gpt.tokens = tape_.input("tokens", {batch, time}, DType::kI32);
    else
      gpt.features = tape_.input("features", {batch, time, config_.features}, DType::kF32);
    gpt.targets = tape_.input("targets", {batch, time}, classes ? DType::kI32 : DType::kF32);
    const Ref in =
        ids ? tied() : tape_.param("wfe.weight", {config_.features, channels}, normal(kInitStd));
    const Ref wpe = positions();
    Ref x = ids ? ops::embedding(tape_, "embedding", gpt.tokens, in, wpe)
                : ops::feature_embedding(tape_, "embedding", gpt.features, in, wpe);
    x = blocks(x, gpt.tokens);
    const Ref head =
        config_.head == Head::kTied
            ? in
            : tape_.param("head.weight", {outputs(config_), channels}, normal(kInitStd));
    const bool plain = output == Output::kLoss && !hooks_.adds_to_loss();
    const std::int64_t windows = plain && mode_ != Mode::kTrain ? batch : 1;
    if (plain && classes) {
      gpt.loss = gpt.cross_entropy =
          ops::linear_cross_entropy(tape_, "head", x, head, gpt.targets, windows);
      return gpt;
    }
    gpt.logits = ops::matmul(tape_, "head", x, head, {}, ops::Weight::kOutIn);
    gpt.cross_entropy = classes
                            ? ops::cross_entropy(tape_, "loss", gpt.logits, gpt.targets)
                            : ops::gaussian_nll(tape_, "loss", gpt.logits, gpt.targets, windows);
    gpt.loss = hooks_.loss(tape_, gpt.logits, gpt.targets, gpt.cross_entropy);
    return gpt;
  }

  GptDecoder decode(std::int64_t batch, std::int64_t time) {
    GptDecoder decoder;
    decoder_ = &decoder;
    decoder.tokens = tape_.input("tokens", {batch, time}, DType::kI32);
    decoder.length = tape_.input("length", {1}, DType::kI32);
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer)
      decoder.caches.push_back(tape_.input("h." + std::to_string(layer) + ".attn.cache",
                                           {batch, config_.block_size, 2 * config_.n_embd},
                                           DType::kF32));
    const Ref wte = tied();
    const Ref x =
        blocks(ops::embedding(tape_, "embedding", decoder.tokens, wte, positions(), decoder.length),
               decoder.tokens);
    decoder.logits = ops::matmul(tape_, "head", x, wte, {}, ops::Weight::kOutIn);
    decoder_ = nullptr;
    return decoder;
  }

 private:
  static Init normal(double std) { return {Init::Kind::kNormal, std}; }
  static Init constant(double value) { return {Init::Kind::kConstant, value}; }

  Ref tied() {
    return tape_.param("wte.weight", {config_.vocab, config_.n_embd}, normal(kInitStd));
  }
  Ref positions() {
    return tape_.param("wpe.weight", {config_.block_size, config_.n_embd}, normal(kInitStd));
  }

  /// From the embedding to what the head is given.
  Ref blocks(Ref x, Ref tokens) {
    x = hooks_.apply(tape_, HookId::kEmb, -1, x, tokens);
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      tape_.segment(static_cast<int>(layer));
      x = block(x, static_cast<int>(layer));
    }
    tape_.segment(-1);
    if (!place_.out) x = norm("ln_f", x);
    return hooks_.apply(tape_, HookId::kLast, -1, x);
  }

  /// What a matrix is for decides how it starts.
  enum class Role : std::uint8_t { kQkv, kHidden, kProjection };

  // x (B,T,C) → x + attn(ln_1(x)), then x + mlp(ln_2(x)), or with the norms where they stand
  Ref block(Ref x, int layer) {
    const std::string h = "h." + std::to_string(layer) + ".";
    const std::int64_t channels = config_.n_embd;

    Ref a = place_.in ? norm(h + "ln_1", x) : x;
    a = linear(h + "attn.c_attn", a, 3 * channels, Role::kQkv, HookId::kAttnWeights, layer);
    if (config_.qk_norm) a = qk_norm(h + "attn", a);
    a = attention(h + "attn", a, layer);
    a = linear(h + "attn.c_proj", a, channels, Role::kProjection, HookId::kAttn, layer);
    if (place_.post) a = norm(h + "ln_1_post", a);
    x = residual(h + "attn.residual", x, a, HookId::kAttn, layer);
    if (place_.out) x = norm(h + "ln_1", x);

    const ops::ActivationKind& act = *config_.activation;
    Ref m = place_.in ? norm(h + "ln_2", x) : x;
    m = linear(h + "mlp.c_fc", m, config_.hidden() * act.inputs, Role::kHidden, HookId::kMlpHidden,
               layer);
    m = hooks_.produced(tape_, HookId::kMlpHidden, layer, [&](const ops::NoiseUse& noise) {
      return act.build(tape_, (h + "mlp.").append(act.name), m, noise);
    });
    m = linear(h + "mlp.c_proj", m, channels, Role::kProjection, HookId::kMlp, layer);
    if (place_.post) m = norm(h + "ln_2_post", m);
    x = residual(h + "mlp.residual", x, m, HookId::kMlp, layer);
    return place_.out ? norm(h + "ln_2", x) : x;
  }

  Ref attention(const std::string& name, Ref qkv, int layer) {
    if (decoder_ == nullptr)
      return ops::attention(tape_, name, qkv, config_.n_head,
                            hooks_.fused(tape_, HookId::kAttnWeights, layer, nullptr));
    decoder_->qkv.push_back(qkv);
    return ops::cached_attention(tape_, name, qkv,
                                 decoder_->caches[static_cast<std::size_t>(layer)],
                                 decoder_->length, config_.n_head);
  }

  /// `hook`: where the product arrives.
  Ref linear(const std::string& name, Ref x, std::int64_t out, Role role, HookId hook, int layer) {
    const std::int64_t in = tape_.shape(x).back();
    Ref w = tape_.param(name + ".weight", {in, out}, initial(in, role));
    w = hooks_.weight(tape_, hook, layer, name + ".weight", w);
    const Ref b = config_.bias ? tape_.param(name + ".bias", {out}, constant(0)) : Ref{};
    return ops::matmul(tape_, name, x, w, b);
  }

  // A placement with a β of its own scales v, the projections and the MLP's hidden layer by it,
  // and nothing else does.
  Init initial(std::int64_t fan_in, Role role) const {
    Init init = normal(config_.init->std(fan_in));
    if (place_.beta != nullptr) {
      const double beta = place_.beta(config_.n_layer);
      if (role == Role::kQkv)
        init.tail = 2 * config_.n_embd, init.tail_factor = beta;
      else
        init.value *= beta;
    } else if (role == Role::kProjection && config_.init->residual) {
      init.value /= std::sqrt(2.0 * static_cast<double>(config_.n_layer));
    }
    return init;
  }

  Ref norm(const std::string& name, Ref x) {
    return config_.norm->build({tape_, name, x, config_.bias, mode_});
  }

  Ref qk_norm(const std::string& name, Ref qkv) {
    const Shape head{config_.n_embd / config_.n_head};
    const Ref q = tape_.param(name + ".q_norm.weight", head, constant(1));
    const Ref k = tape_.param(name + ".k_norm.weight", head, constant(1));
    return ops::qk_norm(tape_, name + ".qk_norm", qkv, q, k);
  }

  Ref residual(const std::string& name, Ref x, Ref branch, HookId hook, int layer) {
    const ops::NoiseUse noise = hooks_.fused(tape_, hook, layer, &branch);
    if (const double alpha = place_.alpha(config_.n_layer); alpha != 1)
      x = ops::scale(tape_, name + ".scale", x, static_cast<float>(alpha));
    return ops::residual(tape_, name, x, branch, noise);
  }

  Tape& tape_;
  const GptConfig& config_;
  const Placement& place_;
  Mode mode_;
  Hooks hooks_;
  GptDecoder* decoder_ = nullptr;  // while one is recorded
};

}  // namespace

Gpt record_gpt(Tape& tape, const GptConfig& config, std::int64_t batch, std::int64_t time,
               Mode mode, Output output) {
  check(config, batch, time);
  return Recorder(tape, config, mode).record(batch, time, output);
}

GptDecoder record_decoder(Tape& tape, const GptConfig& config, std::int64_t batch,
                          std::int64_t time) {
  check(config, batch, time);
  base::require(config.head == Head::kTied,
                "model: only one of tokens with a tied head goes on from what it says");
  return Recorder(tape, config, Mode::kEval).decode(batch, time);
}

GptConfig without_losses(GptConfig config) {
  std::erase_if(config.regularizers,
                [](const RegularizerSetting& s) { return s.kind->family == Family::kLoss; });
  return config;
}

void check(const GptConfig& c) {
  for (const RegularizerSetting& s : c.regularizers) {
    if (s.rate == 0) continue;
    base::require(c.head != Head::kNormal || s.kind->family != Family::kLoss, s.kind->name,
                  " adds to the loss of classes, and this model predicts a number; leave it out");
    base::require(c.features == 0 || s.kind->noise == nullptr ||
                      s.kind->noise->granularity != ops::Granularity::kVocabulary,
                  s.kind->name,
                  " drops tokens of a vocabulary, and the inputs of this model are "
                  "numbers; leave it out");
  }
}

double counted_parameters(const GptConfig& c) {
  const auto channels = static_cast<double>(c.n_embd), bias = c.bias ? 1.0 : 0.0;
  const auto hidden = static_cast<double>(c.hidden());
  const auto linear = [&](double in, double out) { return in * out + bias * out; };
  const double norm = channels * (c.norm->gains + bias * c.norm->shifts);
  const int norms = 2 * (c.norm_place->in + c.norm_place->post + c.norm_place->out);
  double per_layer = linear(channels, 3 * channels) + linear(channels, channels) +
                     linear(channels, hidden * c.activation->inputs) + linear(hidden, channels) +
                     norms * norm;
  if (c.qk_norm) per_layer += 2 * channels / static_cast<double>(c.n_head);
  // A tied head is the embedding, which multiplies nothing.
  const auto ends = static_cast<double>(c.features + outputs(c));
  return static_cast<double>(c.n_layer) * per_layer + ends * channels +
         (c.norm_place->out ? 0 : norm);
}

double flops_per_token(const GptConfig& c) {
  const double once = 6 * counted_parameters(c) + 12 * static_cast<double>(c.n_layer) *
                                                      static_cast<double>(c.n_embd) *
                                                      static_cast<double>(c.block_size);
  return once * passes(c.regularizers);
}

}  // namespace models
