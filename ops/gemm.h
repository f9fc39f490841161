// A matmul cut into blocks by shape alone, each one single-threaded oneDNN call: the same bits for
// any number of threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "ops/onednn.h"

namespace ops {

class Gemm {
 public:
  /// spec.accumulate, threaded and copies are chosen here and by build().
  explicit Gemm(const MatmulSpec& spec);

  /// Scratch of one run().
  std::size_t scratch_bytes() const;
  /// Creates the primitives for C = AB and, or, C += AB. Before the first run().
  void build(bool assign, bool add);
  void run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
           bool add) const;
  double flops() const;
  /// Bytes of A, B and C, once each.
  double bytes() const;

 private:
  MatmulSpec block(std::int64_t m, std::int64_t n) const;

  MatmulSpec spec_;
  std::int64_t block_m_, block_n_;  // of all blocks but those at the lower and right edge
  std::size_t scratch_ = 0;         // of one block
  int threads_ = 1;                 // as at the beginning: scratch and copies are made for so many
  // [add][lower edge][right edge]
  std::optional<Matmul> primitives_[2][2][2];
};

}  // namespace ops
