// AdamW (Loshchilov & Hutter 2019) with clipping at a global norm, one pass over the parameters.
#pragma once
#include <cstdint>
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

/// What AdamW remembers: running means of the gradients and of their squares, and of how many
/// updates.
struct Moments {
  Moments() = default;
  /// Zeros. The parameters need not be allocated.
  explicit Moments(const engine::Params& params);
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

  /// One update with learning rate `lr`. Returns the gradients' global norm before clipping; where
  /// that is not finite nothing is updated. The same bits for any number of threads.
  /// REQUIRES: `moments` are those of these parameters.
  double step(Moments& moments, double lr);

  /// FLOPs and bytes of one update: the gradients are read twice, for their norm first.
  static engine::Cost cost(const engine::Params& params);

  /// Bytes of the moments. The parameters need not be allocated.
  static std::size_t bytes(const engine::Params& params);

 private:
  struct Chunk {
    std::size_t offset, n;
    bool decay;
  };
  double gradient_norm();

  AdamWConfig config_;
  float *weights_, *grads_;
  std::vector<Chunk> chunks_;
  std::vector<double> partial_;
};

}  // namespace train
