// The ways to a product, and the fastest of those that give the same bits.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
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

}  // namespace ops
