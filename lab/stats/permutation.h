// The test that asks for no distribution: signs of paired differences.
#pragma once
#include <cstddef>
#include <optional>
#include <span>

namespace lab {

/// More pairs than this are not enumerated: 2¹⁹ sums take a millisecond or two.
inline constexpr std::size_t kMostSignFlips = 20;

/// Exact two-sided p of "the differences are symmetric around 0": the share of the 2ⁿ choices of
/// signs for which |Σ ±dᵢ| ≥ |Σ dᵢ| (Fisher 1935, The Design of Experiments, § 21). Sums equal but
/// for rounding count as equal. The smallest p possible is 2¹⁻ⁿ: with n = 5 nothing is found at
/// 0.05. nullopt for no pair and for more than kMostSignFlips. REQUIRES: finite values.
std::optional<double> sign_flip_test(std::span<const double> differences);

}  // namespace lab
