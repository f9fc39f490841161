// StepNorms of weights, gradients and updates by layer, seen from beside a step: nothing of
// training is touched, so that no bit of it changes, and nothing of it is timed.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "train/log/sink.h"
#include "train/trainer.h"

namespace train {

class NormWatch {
 public:
  /// Every `interval` steps; 0: never, at no cost.
  explicit NormWatch(std::int64_t interval) : interval_(interval) {}
  /// Before a step: keeps the weights, where its norms are wanted.
  void before(const Trainer& trainer);
  /// After it: the norms, where they are wanted. REQUIRES: the gradients are still the step's.
  std::optional<StepNorms> after(Trainer& trainer);

 private:
  std::int64_t interval_;
  std::vector<float> weights_;  // before the step; empty: not wanted
};

/// "h.0" of "h.0.attn.c_attn.weight", "wte" of "wte.weight".
std::string layer_of(std::string_view parameter);

}  // namespace train
