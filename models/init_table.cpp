#include "models/init_table.h"

#include <array>
#include <cmath>

#include "base/text.h"

namespace models {
namespace {

double gpt2(std::int64_t) { return kInitStd; }
double lecun(std::int64_t fan_in) { return 1 / std::sqrt(static_cast<double>(fan_in)); }

constexpr std::array kInits{
    InitKind{"gpt2", gpt2, true, "N(0, 0.02²), residual projections / √(2L)",
             "Radford et al. 2019, as released"},
    InitKind{"lecun", lecun, false, "N(0, 1/inputs), as selu needs it",
             "LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515"},
};

}  // namespace

std::span<const InitKind> init_kinds() { return kInits; }

const InitKind& init_kind(std::string_view name) {
  return base::row_named(init_kinds(), name, "init");
}

}  // namespace models
