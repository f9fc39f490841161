// The matmul floor of a training step: what its linear layers' matmuls alone would take.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/tape.h"

namespace bench {

/// Every matmul of the linear layers on a tape (forward and both gradients, the head too), once for
/// each shape, timed alone on operands that the call before has left in the caches; by oneDNN with
/// its own threading and by our partition into single-threaded blocks.
class MatmulFloor {
 public:
  /// The linear layers are those nodes of the tape that multiply an activation by a matrix of
  /// parameters; each runs `micro_steps` times a step.
  MatmulFloor(const engine::Tape& tape, std::int64_t micro_steps);
  ~MatmulFloor();

  /// Times every shape both ways.
  void round();
  /// Sum over the matmuls of the better way's median. REQUIRES: round() has run.
  double ms() const;
  /// [{m, n, k, count, onednn_ms, partition_ms}]
  nlohmann::ordered_json to_json() const;

 private:
  struct Shape;
  std::vector<Shape> shapes_;
  engine::Buffer a_, b_, c_, scratch_;
};

}  // namespace bench
