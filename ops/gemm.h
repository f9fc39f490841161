// A matmul with the same bits for any number of threads, by the fastest way there is on this
// machine.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tuning.h"
#include "ops/onednn.h"

namespace ops {

/// kPartition defines the bits: at most kBlocks blocks cut by shape alone, each single-threaded, so
/// that they are the same for any number of threads. kFine is the same in up to kFineBlocks, a way
/// where there are more threads than kBlocks. The others are oneDNN's own threading over the whole
/// product, with B as it is or in oneDNN's own layout, brought there once a call.
enum class Way : std::uint8_t { kPartition, kWhole, kPacked, kFine };
inline constexpr std::array<std::string_view, 4> kWayNames = {"partition", "whole", "packed",
                                                              "fine"};
inline constexpr int kBlocks = 8, kFineBlocks = 64;

/// Bytes that B in oneDNN's own layout may take.
inline constexpr std::size_t kMostPacked = std::size_t{16} << 20;
/// Whether kPacked is a way for this product: B is a weight matrix (A is not transposed), packing
/// changes its layout, and it is not too large.
bool can_pack(const MatmulSpec& spec);
/// The ways that this product may be computed on `threads` threads, the partition first.
std::vector<Way> ways_for(const MatmulSpec& spec, int threads);

/// Thread counts on which a way must give the partition's bits.
inline constexpr std::array kTriedThreads = {1, 2, 3, 4, 8, 16};
/// Whether the way's results are the partition's on as many threads as there are and on each of
/// kTriedThreads, tried on random operands: C = AB and C += AB.
bool has_partition_bits(const MatmulSpec& spec, Way way);

/// What an outcome depends on: product, library and the instruction set it takes (which
/// ONEDNN_MAX_CPU_ISA bounds), processor and its instructions, threads.
std::string tuning_key(const MatmulSpec& spec);

/// The way for a product: recalled, or measured and kept, or kPartition where there is no time. A
/// way that is recalled has its bits checked on this number of threads, once for each product and
/// process; one with other bits counts as not recalled.
Way choose_way(const MatmulSpec& spec, engine::Tuning& tuning);

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
