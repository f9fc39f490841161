// Gradients that are sums over rows: a partial sum for each fixed-size chunk of rows, then these
// in order, so that the bits do not depend on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/parallel.h"
#include "engine/op.h"

namespace ops {

/// `count` sums over `rows` rows, each of `width` numbers, a chunk of rows at a time.
class RowSums {
 public:
  RowSums() = default;
  RowSums(std::int64_t rows, std::int64_t chunk, std::int64_t width, std::int64_t count = 1)
      : rows_(rows), chunk_(chunk), width_(width), count_(count) {}

  /// Floats that run() wants.
  std::int64_t floats() const { return count_ * parts() * width_; }
  std::size_t bytes() const { return static_cast<std::size_t>(floats()) * sizeof(float); }

  /// each(row, sums) for all rows, chunks in parallel: it adds what the row gives to `sums`, which
  /// holds the chunk's sum number i at sums + i·stride(). memory (count,parts,width)
  template <class F>
  void run(float* memory, const F& each) const {
    base::parallel_chunks(rows_, chunk_,
                          [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
                            float* sums = memory + part * width_;
                            for (std::int64_t i = 0; i < count_; ++i)
                              std::fill_n(sums + i * stride(), width_, 0.0F);
                            for (std::int64_t row = begin; row < end; ++row) each(row, sums);
                          });
  }
  std::int64_t stride() const { return parts() * width_; }

  /// out (width) += sum number i
  void add_to(float* out, const float* memory, std::int64_t i = 0) const {
    const float* partial = memory + i * stride();
    for (std::int64_t p = 0; p < parts(); ++p) {
#pragma omp simd
      for (std::int64_t j = 0; j < width_; ++j) out[j] += partial[p * width_ + j];
    }
  }
  /// grad (width) = or += sum number i; nothing if it is not wanted.
  void give(const engine::Grad& grad, const float* memory, std::int64_t i = 0) const {
    if (!grad) return;
    if (!grad.add) std::fill_n(grad.f32(), width_, 0.0F);
    add_to(grad.f32(), memory, i);
  }

 private:
  std::int64_t parts() const { return base::chunks(rows_, chunk_); }

  std::int64_t rows_ = 0, chunk_ = 1, width_ = 0, count_ = 1;
};

/// f(row) for all rows, chunks in parallel.
template <class F>
void for_rows(std::int64_t rows, std::int64_t chunk, const F& f) {
  base::parallel_chunks(rows, chunk, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row);
  });
}

}  // namespace ops
