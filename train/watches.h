// What is looked at beside a run: no bit of training changes, and none of it is timed.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "train/log/sink.h"
#include "train/sampling.h"
#include "train/trainer.h"

namespace train {

/// StepNorms of weights, gradients and updates by layer.
class NormWatch {
 public:
  /// Every `interval` steps; 0: never, at no cost.
  explicit NormWatch(std::int64_t interval) : interval_(interval) {}
  /// Before a step: keeps the weights, if its norms are wanted.
  void before(const Trainer& trainer);
  /// After it: the norms, if they are wanted. REQUIRES: the gradients are still the step's.
  std::optional<StepNorms> after(Trainer& trainer);

 private:
  std::int64_t interval_;
  std::vector<float> weights_;  // before the step; empty: not wanted
};

/// "h.0" of "h.0.attn.c_attn.weight", "wte" of "wte.weight".
std::string layer_of(std::string_view parameter);

/// What the model says as it learns: a generated text at every evaluation.
class TextWatch final : public Sink {
 public:
  /// `tokens`: drawn each time after a line end, or where the vocabulary has none after its first
  /// token, as `isodrop sample` does by default. REQUIRES: a task of text,
  /// whose `tokenizer` this is; all of them outlive this.
  TextWatch(Trainer& trainer, const data::Tokenizer& tokenizer, std::int64_t tokens, Sink& told);
  void progress(const Progress& p) override;

 private:
  const data::Tokenizer& tokenizer_;
  std::vector<std::int32_t> opening_;
  Decoder decoder_;
  std::int64_t tokens_;
  Sink& told_;
};

}  // namespace train
