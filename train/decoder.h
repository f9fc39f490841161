// A language model asked for one token after another: what it has read stays in its cache.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/plan.h"
#include "models/gpt.h"

namespace train {

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
  /// A tape for so many tokens at a time.
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

}  // namespace train
