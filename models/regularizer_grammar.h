// Regularizers in a word of the command line.
//
//   REGULARIZERS = 'none' | ITEM {'+' ITEM}
//   ITEM         = NAME ':' RATE ['@' HOOK {'/' HOOK}] ['~' SCHEDULE [':' FRACTION]]
//
// "dropout:0.1", "dropout:0.1@attn/mlp+drop_path:0.2", "dropout:0.1~early:0.2". Without hooks an
// item acts at the defaults of its row in the table, without a schedule its rate is constant.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "models/regularizers.h"

namespace models {

inline constexpr std::string_view kRegularizerForms =
    "NAME:RATE[@HOOK/...][~SCHEDULE[:FRACTION]]+..., or none";

/// Throws Error: an unknown name, hook or schedule, a rate or fraction outside its range, a hook
/// where the regularizer has no meaning. Items of rate 0 are left out.
std::vector<RegularizerSetting> parse_regularizers(std::string_view text);

/// The one canonical spelling, which parse_regularizers() reads: no spaces, hooks in the table's
/// order, nothing that is a default. "none" if there are none.
std::string to_string(const std::vector<RegularizerSetting>& settings);

}  // namespace models
