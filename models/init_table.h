// How the weights of linear layers start, a table. Embeddings start as GPT-2's, norms at 1 and 0.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace models {

/// GPT-2's standard deviation (Radford et al. 2019, as released).
inline constexpr double kInitStd = 0.02;

struct InitKind {
  std::string_view name;
  double (*std)(std::int64_t fan_in);
  bool residual;  // the projections back to the residual stream start smaller, / √(2L)
  std::string_view help, source;
};

/// Adding an init is adding a row.
std::span<const InitKind> init_kinds();
/// The row of that name. Throws Error listing the valid ones.
const InitKind& init_kind(std::string_view name);

}  // namespace models
