#include "train/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "engine/rng.h"

namespace train {
namespace {

// Tokens of a prompt that are read at once: a product then reads the weights once for all of them.
constexpr std::int64_t kSeveral = 32;
// From this number of tokens on a pass for kSeveral costs less than one for each.
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

/// Ids that may be drawn, the likeliest first.
std::vector<std::int32_t> candidates(std::span<const float> logits, const Sampling& how) {
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::size_t kept = ids.size();
  if (how.temperature == 0) kept = 1;
  if (how.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(how.top_k));
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(),
                    before);
  ids.resize(kept);
  return ids;
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

Sampled draw(std::span<const float> logits, const Sampling& how, std::uint64_t sample,
             std::uint64_t position) {
  const auto logit = [&](std::int32_t id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]);
  };
  for (const float x : logits)
    base::require(std::isfinite(x),
                  "its forecast is not finite: the weights are those of a run that diverged");
  std::vector<std::int32_t> ids = candidates(logits, how);
  const double top = logit(ids.front());
  double all = 0;
  for (const float x : logits) all += std::exp(static_cast<double>(x) - top);
  const auto sampled = [&](std::int32_t id) {
    return Sampled{id, logit(id) - top - std::log(all)};
  };
  if (ids.size() == 1) return sampled(ids.front());

  std::vector<double> weights;
  for (const std::int32_t id : ids)
    weights.push_back(std::exp((logit(id) - top) / how.temperature));
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (how.top_p < 1) {
    double kept = 0;
    std::size_t n = 0;
    while (n < weights.size() && kept < how.top_p * sum) kept += weights[n++];
    weights.resize(std::max<std::size_t>(n, 1));
    sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  }
  static constexpr std::uint32_t kSite = engine::site_id("sample");
  const engine::Key key =
      engine::stream_key(how.seed + 0x9E3779B97F4A7C15U * sample, engine::Stream::kSample);
  double left = engine::Sequence(key, kSite, position).uniform() * sum;
  std::size_t chosen = 0;
  while (chosen + 1 < weights.size() && left >= weights[chosen]) left -= weights[chosen++];
  return sampled(ids[chosen]);
}

std::vector<std::int32_t> opening(const data::Tokenizer& tokenizer) {
  const auto& pieces = tokenizer.pieces();
  const bool lines = std::find(pieces.begin(), pieces.end(), "\n") != pieces.end();
  return lines ? tokenizer.encode("\n") : std::vector<std::int32_t>{};
}

std::int64_t default_keep(std::int64_t block_size) {
  return std::max<std::int64_t>(1, block_size / 2);
}

void generate(Decoder& decoder, std::span<const std::int32_t> prompt, std::int64_t tokens,
              std::int64_t keep, const Sampling& how, std::uint64_t sample,
              const std::function<void(const Sampled&)>& told) {
  std::vector<std::int32_t> text(prompt.begin(), prompt.end());
  const auto last = [&](std::int64_t n) {
    return std::span(text).last(std::min(text.size(), static_cast<std::size_t>(n)));
  };
  decoder.clear();
  std::span<const float> logits = decoder.read(last(decoder.limit()));
  for (std::int64_t i = 0; i < tokens; ++i) {
    const Sampled s = draw(logits, how, sample, static_cast<std::uint64_t>(i));
    told(s);
    if (i + 1 == tokens) break;
    text.push_back(s.token);
    const bool full = decoder.length() == decoder.limit();
    if (full) decoder.clear();
    logits = decoder.read(last(full ? keep : 1));
  }
}

}  // namespace train
