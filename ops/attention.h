// Fused causal self-attention.
#pragma once
#include <cstdint>
#include <memory>

#include "engine/op.h"
#include "ops/noise.h"

namespace ops {

/// qkv (B,T,3C), packed q|k|v with head h in columns h·hs of each, to (B,T,C). `noise`
/// acts on the attention weights, at the rate that comes with every call; null: none. With rate 0
/// the results are the same bits as without. Throws Error if not attention_takes(*noise).
std::unique_ptr<engine::Op> make_attention(int n_head, const NoiseKind* noise = nullptr);

/// Whether a kind has a meaning on attention weights: one draw for each weight or for each head,
/// and no shift, in which weights of later positions would take part.
bool attention_takes(const NoiseKind& kind);

/// Number of the mask element for query i and key j of head `bh` = b·NH + h, b counted in the whole
/// batch. A group of 128 elements holds 4 keys × 32 queries, so that a tile of weights with the
/// queries in its lanes reads the bits without a shuffle: 32 queries share a 32-bit word per key
/// and pair {i, i + 16}.
constexpr std::uint64_t attention_mask_element(std::uint64_t bh, std::uint64_t T, std::uint64_t i,
                                               std::uint64_t j) {
  const std::uint64_t group = (bh * ((T + 31) / 32) + i / 32) * ((T + 3) / 4) + j / 4;
  return 128 * group + 32 * (j % 4) + 2 * (i % 16) + i / 16 % 2;
}

}  // namespace ops
