// Generates text with a language model, token by token.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "engine/buffer.h"
#include "engine/plan.h"
#include "models/gpt.h"

namespace train {

/// A language model asked for one token after another: what it has read stays in its cache.
class Decoder {
 public:
  /// Records and plans; allocates nothing. REQUIRES: `params` outlive this.
  Decoder(engine::Params& params, const models::GptConfig& config);

  /// Bytes that allocate() takes.
  std::size_t bytes() const;
  /// REQUIRES: the parameters are allocated.
  void allocate();

  /// Tokens it has read, and may have read at most.
  std::int64_t length() const { return length_; }
  std::int64_t limit() const { return config_.block_size; }
  /// Forgets what it has read.
  void clear() { length_ = 0; }
  /// Reads on. Returns the logits (V) of what follows, valid until the next call. Throws
  /// base::Error for a token outside the vocabulary. REQUIRES: allocated, at least one token,
  /// length() + tokens.size() ≤ limit().
  std::span<const float> read(std::span<const std::int32_t> tokens);

 private:
  /// A tape for `time` tokens at once.
  struct Form {
    Form(engine::Params& params, const models::GptConfig& config, std::int64_t time);
    models::GptDecoder values;
    engine::Plan plan;
    std::vector<std::int32_t> tokens;
  };
  std::span<const float> run(Form& form, std::span<const std::int32_t> tokens);

  models::GptConfig config_;
  Form one_, several_;
  std::vector<engine::Buffer> caches_;  // a layer: (block_size,2C), k|v
  engine::Buffer arena_;                // the forms take turns in it
  std::int32_t length_ = 0;
};

/// How a token is drawn. The defaults are those of nanoGPT's sample.py.
struct Sampling {
  double temperature = 0.8;  // divides the logits; 0: the likeliest (the lowest id, if tied)
  std::int64_t top_k = 200;  // draws among this many likeliest tokens; 0: among all
  double top_p = 1;          // draws among the fewest likeliest that together have this probability
  std::uint64_t seed = 1;
};

struct Sampled {
  std::int32_t token = 0;
  double log_probability = 0;  // nats, of the model's own forecast: temperature 1, nothing left out
};

/// Token number `position` of text number `sample`: depends on the logits and these numbers alone.
/// Throws base::Error if a logit is not finite. REQUIRES: logits (V), V ≥ 1.
Sampled draw(std::span<const float> logits, const Sampling& how, std::uint64_t sample,
             std::uint64_t position);

/// What a text begins after if no prompt is given: a line end. Empty if the vocabulary has
/// none.
std::vector<std::int32_t> opening(const data::Tokenizer& tokenizer);
/// `keep` if none is given: half of the context.
std::int64_t default_keep(std::int64_t block_size);

/// Generates `tokens` tokens after `prompt` and tells each. Of a longer prompt the last
/// decoder.limit() tokens count. When the context is full, it starts again with the last `keep`
/// tokens: limit() is what nanoGPT does, at a pass over all of them for each token.
/// REQUIRES: a prompt of at least one token, 1 ≤ keep ≤ limit().
void generate(Decoder& decoder, std::span<const std::int32_t> prompt, std::int64_t tokens,
              std::int64_t keep, const Sampling& how, std::uint64_t sample,
              const std::function<void(const Sampled&)>& told);

}  // namespace train
