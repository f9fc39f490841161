// The learning rate over the share of the budget spent.
#pragma once

namespace train {

struct LearningRate {
  double peak = 1e-3, floor = 1e-4;
  double warmup = 0.05;  // share of the budget

  /// Linear from 0 to `peak` over the warm-up, then half a cosine down to `floor` (Loshchilov &
  /// Hutter 2017, one cycle). `progress` in [0, 1].
  double at(double progress) const;
};

}  // namespace train
