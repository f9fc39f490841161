#include "train/optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/parallel.h"

namespace train {
namespace {

constexpr std::size_t kChunk = 8192;

/// Σ x², in 16 sums whatever the machine's vectors are, so that the bits are the same on all. What
/// is left over goes to the first sum.
float sum_of_squares(const float* x, std::size_t n) {
  constexpr std::size_t kSums = 16;
  float sums[kSums] = {};
  const std::size_t whole = n / kSums * kSums;
  for (std::size_t i = 0; i < whole; i += kSums)
#pragma omp simd
    for (std::size_t j = 0; j < kSums; ++j) sums[j] += x[i + j] * x[i + j];
  for (std::size_t i = whole; i < n; ++i) sums[0] += x[i] * x[i];
  float sum = 0;
  for (const float s : sums) sum += s;
  return sum;
}

}  // namespace

Moments::Moments(std::size_t count) : values(2 * count * sizeof(float)), floats(count) {
  std::fill_n(values.as<float>(), 2 * count, 0.0F);
}

AdamW::AdamW(engine::Params& params, const AdamWConfig& config)
    : config_(config), weights_(params.weights().data()), grads_(params.gradients().data()) {
  for (const engine::Param& p : params.list()) {
    if (!p.trainable) continue;
    const auto n = static_cast<std::size_t>(p.shape.numel());
    for (std::size_t i = 0; i < n; i += kChunk)
      chunks_.push_back({p.offset + i, std::min(kChunk, n - i), p.decay, p.offset + i});
  }
  squares_.resize(chunks_.size());
}

std::vector<std::size_t> AdamW::chunk_places() const {
  std::vector<std::size_t> places;
  for (const Chunk& chunk : chunks_) places.push_back(chunk.offset);
  return places;
}

void AdamW::take(std::span<const GradientRange> ranges) {
  for (Chunk& chunk : chunks_) {
    std::size_t before = 0;  // floats of the ranges in front
    chunk.taken = false;
    for (const GradientRange& range : ranges) {
      if (range.begin <= chunk.offset && chunk.offset < range.end) {
        chunk.taken = true;
        chunk.moment = before + chunk.offset - range.begin;
      }
      before += range.size();
    }
  }
}

engine::Cost AdamW::cost(const engine::Params& params) {
  const auto n = static_cast<double>(params.count());
  // g; then g, m, v and w in, m, v and w out. Square roots and divisions count as one.
  return {18 * n, 8 * sizeof(float) * n};
}

std::size_t AdamW::bytes(const engine::Params& params) { return 2 * params.trainable_bytes(); }

std::span<double> AdamW::squares() {
  const auto count = static_cast<std::int64_t>(chunks_.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < count; ++c) {
    const Chunk& chunk = chunks_[static_cast<std::size_t>(c)];
    squares_[static_cast<std::size_t>(c)] =
        chunk.taken ? static_cast<double>(sum_of_squares(grads_ + chunk.offset, chunk.n)) : 0;
  }
  return squares_;
}

double AdamW::step(Moments& moments, double lr) {
  squares();
  return update(moments, lr);
}

double AdamW::update(Moments& moments, double lr) {
  double sum = 0;
  for (const double p : squares_) sum += p;
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) return norm;
  ++moments.updates;
  const auto t = static_cast<double>(moments.updates);
  const auto clip = static_cast<float>(
      config_.clip > 0 && norm > config_.clip ? config_.clip / (norm + 1e-6) : 1.0);
  const auto b1 = static_cast<float>(config_.beta1), b2 = static_cast<float>(config_.beta2);
  // In double, as PyTorch has them: of a beta near 1 a float keeps nothing of 1 - beta.
  const auto new1 = static_cast<float>(1 - config_.beta1),
             new2 = static_cast<float>(1 - config_.beta2);
  const auto rate = static_cast<float>(lr / (1 - std::pow(config_.beta1, t)));
  const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(config_.beta2, t)));
  const auto epsilon = static_cast<float>(config_.epsilon);
  const auto shrink = static_cast<float>(1 - lr * config_.weight_decay);
  const auto count = static_cast<std::int64_t>(chunks_.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < count; ++c) {
    const Chunk& chunk = chunks_[static_cast<std::size_t>(c)];
    if (!chunk.taken) continue;
    const float* __restrict g = grads_ + chunk.offset;
    float* __restrict w = weights_ + chunk.offset;
    float* __restrict m = moments.first() + chunk.moment;
    float* __restrict v = moments.second() + chunk.moment;
    const float keep = chunk.decay ? shrink : 1.0F;
    // m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← (1−ηλ)w − η·m̂ / (√v̂ + ε)
#pragma omp simd
    for (std::size_t i = 0; i < chunk.n; ++i) {
      const float grad = g[i] * clip;
      m[i] = b1 * m[i] + new1 * grad;
      v[i] = b2 * v[i] + new2 * grad * grad;
      w[i] = keep * w[i] - rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
    }
  }
  return norm;
}

double LearningRate::at(double progress) const {
  if (progress < warmup) return peak * progress / warmup;
  const double x = warmup < 1 ? std::min(1.0, (progress - warmup) / (1 - warmup)) : 1.0;
  return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

}  // namespace train
