#include "train/decoder.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace train {
namespace {

// A prompt is read so many tokens at a time: then a product reads the weights once for all of them.
constexpr std::int64_t kSeveral = 32;
// From so many on a pass for kSeveral costs less than one for each.
constexpr std::size_t kWorthIt = 4;

engine::Plan planned(engine::Params& params, const models::GptConfig& config, std::int64_t time,
                     models::GptDecoder& values) {
  engine::Tape tape(params);
  values = models::record_decoder(tape, config, 1, time);
  engine::PlanOptions options;
  options.training = false;
  options.tuning = engine::Tuning::of_environment();
  options.keep = values.qkv;
  return {std::move(tape), values.logits, options};
}

}  // namespace

Decoder::Form::Form(engine::Params& params, const models::GptConfig& config, std::int64_t time)
    : plan(planned(params, config, time, values)), tokens(static_cast<std::size_t>(time)) {}

Decoder::Decoder(engine::Params& params, const models::GptConfig& config)
    : config_(models::without_losses(config)),
      one_(params, config_, 1),
      several_(params, config_, std::min(kSeveral, config_.block_size)) {}

std::size_t Decoder::bytes() const {
  const auto numbers =
      static_cast<std::size_t>(2 * config_.n_layer * config_.block_size * config_.n_embd);
  return numbers * sizeof(float) + std::max(one_.plan.arena_bytes(), several_.plan.arena_bytes());
}

void Decoder::allocate() {
  arena_ = engine::Buffer(std::max(one_.plan.arena_bytes(), several_.plan.arena_bytes()));
  const auto row = static_cast<std::size_t>(2 * config_.n_embd) * sizeof(float);
  for (std::int64_t layer = 0; layer < config_.n_layer; ++layer)
    caches_.emplace_back(static_cast<std::size_t>(config_.block_size) * row);
  for (Form* form : {&one_, &several_}) {
    form->plan.bind(form->values.tokens, form->tokens.data());
    form->plan.bind(form->values.length, &length_);
    for (std::size_t layer = 0; layer < caches_.size(); ++layer)
      form->plan.bind(form->values.caches[layer], caches_[layer].data());
    form->plan.lend({arena_.data(), arena_.size()});
    form->plan.prepare();
  }
}

std::span<const float> Decoder::read(std::span<const std::int32_t> tokens) {
  for (const std::int32_t token : tokens)
    base::require(token >= 0 && token < config_.vocab, "token ", token,
                  " is outside the vocabulary [0, ", config_.vocab, ")");
  std::span<const float> logits;
  while (!tokens.empty()) {
    // A form may be padded, but must not reach beyond the positions that there are.
    const bool several = tokens.size() >= std::min(kWorthIt, several_.tokens.size()) &&
                         length_ + static_cast<std::int64_t>(several_.tokens.size()) <= limit();
    Form& form = several ? several_ : one_;
    const auto part = tokens.first(std::min(tokens.size(), form.tokens.size()));
    logits = run(form, part);
    tokens = tokens.subspan(part.size());
  }
  return logits;
}

std::span<const float> Decoder::run(Form& form, std::span<const std::int32_t> tokens) {
  std::fill(std::copy(tokens.begin(), tokens.end(), form.tokens.begin()), form.tokens.end(), 0);
  form.plan.forward({});
  const auto channels = static_cast<std::size_t>(config_.n_embd);
  for (std::size_t layer = 0; layer < caches_.size(); ++layer) {
    const float* qkv = form.plan.view(form.values.qkv[layer]).f32();
    float* rows = caches_[layer].as<float>() + static_cast<std::size_t>(length_) * 2 * channels;
    for (std::size_t i = 0; i < tokens.size(); ++i)
      std::copy_n(qkv + (3 * i + 1) * channels, 2 * channels, rows + 2 * i * channels);
  }
  length_ += static_cast<std::int32_t>(tokens.size());
  const auto vocab = static_cast<std::size_t>(config_.vocab);
  return {form.plan.view(form.values.logits).f32() + (tokens.size() - 1) * vocab, vocab};
}

}  // namespace train
