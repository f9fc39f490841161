// AdamW (Loshchilov & Hutter 2019) with clipping at a global norm, one pass over the parameters,
// and its learning rate.
//
// Example:
//     engine::Params params;
//     const int w = params.declare("w", {2, 2}, {engine::Init::Kind::kConstant, 1});
//     params.allocate(1);  // seed
//     train::AdamW adamw(params, {.beta2 = 0.95, .weight_decay = 0.1});
//     train::Moments moments(params);
//     params.grad(w)[0] = 0.5F;   // what Plan::backward() does
//     adamw.step(moments, 1e-3);  // learning rate
//     assert(params.value(w)[0] < params.value(w)[1] && moments.updates == 1);
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/buffer.h"
#include "engine/op.h"
#include "engine/params.h"

namespace train {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8;
  double weight_decay = 0.1;  // decoupled, on matrices only
  double clip = 1.0;          // of the gradients' global L2 norm; 0: no clipping
};

/// Floats [begin, end) of Params::gradients().
struct GradientRange {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};

/// AdamW's state: running means of the gradients and of their squares, and the number of updates.
struct Moments {
  Moments() = default;
  /// Zeros, `count` floats of each.
  explicit Moments(std::size_t count);
  /// For all parameters. They need not be allocated.
  explicit Moments(const engine::Params& params)
      : Moments(params.trainable_bytes() / sizeof(float)) {}
  float* first() const { return values.as<float>(); }
  float* second() const { return values.as<float>() + floats; }

  engine::Buffer values;   // first moments, then second ones
  std::size_t floats = 0;  // of each
  std::int64_t updates = 0;
};

class AdamW {
 public:
  /// REQUIRES: `params` are allocated and outlive the optimizer.
  AdamW(engine::Params& params, const AdamWConfig& config);

  /// One update with learning rate `lr`. Returns the gradients' global norm before clipping; if
  /// that is not finite, nothing is updated. The same bits for any number of threads. REQUIRES:
  /// `moments` are those of these parameters.
  double step(Moments& moments, double lr);

  /// The update is made of chunks, each of one parameter. Where they begin in Params::gradients(),
  /// ascending.
  std::vector<std::size_t> chunk_places() const;
  /// From now on only chunks that begin in these ranges are updated; `moments` then holds those
  /// alone, packed in this order. REQUIRES: the ranges are cut at chunk_places().
  void take(std::span<const GradientRange> ranges);
  /// The two halves of step(), to sum over ranks in between: each chunk's Σ g² (0 if it is not
  /// taken), ...
  std::span<double> squares();
  /// ... and the update, once those are the sums of all chunks.
  double update(Moments& moments, double lr);

  /// FLOPs and bytes of one update: the gradients are read twice, for their norm first.
  static engine::Cost cost(const engine::Params& params);

  /// Bytes of the moments. The parameters need not be allocated.
  static std::size_t bytes(const engine::Params& params);

 private:
  struct Chunk {
    std::size_t offset, n;
    bool decay;
    std::size_t moment;  // offset in the moments
    bool taken = true;
  };

  AdamWConfig config_;
  float *weights_, *grads_;
  std::vector<Chunk> chunks_;
  std::vector<double> squares_;
};

/// The learning rate over the share of the budget spent.
struct LearningRate {
  double peak = 1e-3, floor = 1e-4;
  double warmup = 0.05;  // share of the budget

  /// Linear from 0 to `peak` over the warm-up, then half a cosine down to `floor` (Loshchilov &
  /// Hutter 2017, one cycle). `progress` in [0, 1].
  double at(double progress) const;
};

}  // namespace train
