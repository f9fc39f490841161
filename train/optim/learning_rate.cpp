#include "train/optim/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace train {

double LearningRate::at(double progress) const {
  if (progress < warmup) return peak * progress / warmup;
  const double x = warmup < 1 ? std::min(1.0, (progress - warmup) / (1 - warmup)) : 1.0;
  return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

}  // namespace train
