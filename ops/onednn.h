// The door to oneDNN, 2.6 and 3.x alike. Only onednn.cpp sees dnnl.hpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ops {

/// C (M,N) = A (M,K) · B (K,N) [+ bias (N)] [+ C]. Element (i,j) of A is a[i·a_row + j·a_col];
/// one of the two strides of each operand is 1. C is row-major with row stride c_row.
struct MatmulSpec {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_row = 0, a_col = 1;
  std::int64_t b_row = 0, b_col = 1;
  std::int64_t c_row = 0;
  bool bias = false;
  bool accumulate = false;
  bool packed = false;   // B comes in oneDNN's own layout, made by pack()
  bool threaded = true;  // false: to be run inside a parallel region, by one thread
  int copies = 1;        // calls that may be under way at once, each with its own `copy`
};

/// One oneDNN matmul. Throws base::Error if oneDNN has only a reference implementation.
class Matmul {
 public:
  explicit Matmul(const MatmulSpec& spec);
  ~Matmul();
  Matmul(Matmul&&) noexcept;
  Matmul& operator=(Matmul&&) noexcept;

  /// Scratch for one call, known without building the primitive.
  static std::size_t scratch_bytes(const MatmulSpec& spec);
  std::string implementation() const;
  /// Bytes of a packed B, known without building the primitive; 0 if oneDNN's own layout is B's
  /// as it is.
  static std::size_t packed_bytes(const MatmulSpec& spec);
  /// Brings B to oneDNN's own layout. REQUIRES: spec.packed and packed_bytes(spec) > 0.
  void pack(const float* b, std::byte* to) const;
  /// `b`: as the spec says, or what pack() made.
  void run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
           int copy = 0) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Layer normalization forward over rows of C: y = (x − μ)/√(σ² + ε) · γ [+ β], with μ and σ²
/// written per row.
class LayerNormForward {
 public:
  LayerNormForward(std::int64_t rows, std::int64_t channels, bool shift, float epsilon);
  ~LayerNormForward();
  LayerNormForward(LayerNormForward&&) noexcept;
  LayerNormForward& operator=(LayerNormForward&&) noexcept;
  /// Scratch for one call, known without building the primitive.
  static std::size_t scratch_bytes(std::int64_t rows, std::int64_t channels, bool shift,
                                   float epsilon);
  void run(const float* x, const float* gamma, const float* beta, float* y, float* mean,
           float* variance, std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "2.6.3"
std::string onednn_version();
/// The instruction set that oneDNN builds its primitives for, ONEDNN_MAX_CPU_ISA heeded.
std::string onednn_isa();

}  // namespace ops
