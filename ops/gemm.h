// A matmul with the same bits for any number of threads, by the fastest way there is on this
// machine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ops/onednn.h"
#include "ops/product_way.h"

namespace ops {

class Gemm {
 public:
  /// spec.accumulate, packed, threaded and copies are chosen here and by build(), and so is the way
  /// if none is given.
  explicit Gemm(const MatmulSpec& spec, std::optional<Way> way = {});

  /// Scratch of one run().
  std::size_t scratch_bytes() const { return scratch_; }
  /// Chooses the way and creates the primitives for C = AB and, or, C += AB. Before the first
  /// run().
  void build(bool assign, bool add, engine::Tuning& tuning);
  /// The same where a way was given.
  void build(bool assign, bool add);
  /// Throws Error if that was not built. REQUIRES: not within a parallel region.
  void run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
           bool add) const;
  double flops() const;
  /// Bytes of A, B and C, once each.
  double bytes() const;
  /// "brg:avx512_core, whole"; empty if nothing was built.
  std::string describe() const;

 private:
  MatmulSpec block(std::int64_t m, std::int64_t n) const;
  MatmulSpec whole(Way way, bool add) const;
  bool in_blocks() const;
  /// Sets the size of the blocks, and their scratch.
  void cut_for(Way way);
  std::size_t scratch_of(Way way);
  void run_blocks(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
                  bool add) const;

  MatmulSpec spec_;
  std::optional<Way> way_;
  int threads_ = 1;  // as at the beginning: scratch and copies are made for this number
  std::int64_t block_m_ = 0, block_n_ = 0;  // of all blocks but those at the lower and right edge
  std::size_t block_scratch_ = 0;           // of one block
  std::size_t scratch_ = 0;
  std::size_t packed_ = 0;  // bytes of B in its own layout, at the front of the scratch
  // [add][lower edge][right edge]; the whole product's is [add][0][0]
  std::optional<Matmul> primitives_[2][2][2];
};

struct NamedGemm {
  std::string_view name;
  const Gemm* gemm;
};
/// How the products of one pass are done, without those that were not built: "dx …; dw …", or once
/// for all where they agree.
std::string describe(std::span<const NamedGemm> products);

}  // namespace ops
